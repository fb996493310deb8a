package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/internal/safe"
	"sandbox/manifest"
	"sandbox/permissions"
)

// steps runs the build steps of a manifest, each in a sandbox of its own: the
// runtime's /usr, no network, nothing of the packager's but the tree.
type steps struct {
	runtime string // directory of the runtime's bundle
	output  *os.File
}

// Run gives one shell line the bundle's files/ as its working directory and in
// $DEST, and its usr/, if there is one, in $USR. The manifest stays out of reach.
func (s steps) Run(ctx context.Context, step, tree string) error {
	if s.runtime == "" {
		return hint.With(errors.New("there is no shell to run it with"), "name a runtime in the manifest, and install it or give its bundle with --runtime DIR")
	}
	base, err := manifest.Load(s.runtime)
	if err != nil {
		return err
	}
	dest, usr := filepath.Join(tree, "files"), filepath.Join(tree, "usr")
	args := []string{"run", "--runtime", s.runtime, "--ephemeral", "--cwd", dest,
		"--env", "DEST=" + dest, "--env", "SOURCE_DATE_EPOCH=0", "--env", "LC_ALL=C.UTF-8", "--env", "TZ=UTC"}
	trees := []string{dest}
	if _, err := os.Stat(usr); err == nil {
		trees = append(trees, usr)
		args = append(args, "--env", "USR="+usr)
	}
	for _, t := range trees {
		grant, err := permissions.File(t, permissions.Write)
		if err != nil {
			return err
		}
		args = append(args, "--grant", grant.String())
	}
	dir, err := os.MkdirTemp("", "sandbox-step-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	text := fmt.Sprintf("id = \"org.sandbox.BuildStep\"\nversion = \"1\"\nruntime = %q\ncommand = \"sh\"\n",
		manifest.RuntimeRef{ID: base.ID, Channel: base.Channel})
	if err := os.WriteFile(filepath.Join(dir, manifest.FileName), []byte(text), 0o644); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args = append(args, dir, "-e", "-u", "-c", step)
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), string(cli.Lean)), args...)
	out := safe.NewWriter(s.output)
	defer out.Flush()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("it ended with %w", err)
	}
	return nil
}
