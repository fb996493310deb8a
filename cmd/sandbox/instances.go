package main

import "sandbox/internal/cli"

func runPs(a cli.Args) error           { return nil }
func runStop(a cli.Args) error         { return nil }
func runKill(a cli.Args) error         { return nil }
func runPause(a cli.Args) error        { return nil }
func runResume(a cli.Args) error       { return nil }
func runEnter(a cli.Args) error        { return nil }
func runStats(a cli.Args) error        { return nil }
func runLogs(a cli.Args) error         { return nil }
func detach(a cli.Args, opt any) error { return nil }
