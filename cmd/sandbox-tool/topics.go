package main

import (
	"sandbox/internal/cli"
	"sandbox/manifest"
	"sandbox/permissions"
	"sandbox/repo"
	"sandbox/repo/bundle"
	"sandbox/repo/client"
	"sandbox/repo/export"
	"sandbox/repo/publish"
	"sandbox/runtime"
)

// topic is a page of "sandbox help": the document of a room, or a short text.
type topic struct {
	name, summary, text string
}

func topics() []topic {
	return []topic{
		{"manifest", "every key of sandbox.toml", manifest.Reference},
		{"permissions", "every permission and what it exposes", permissions.Reference},
		{"installing", "where apps come from, and what you agree to", client.Reference},
		{"packaging", "how a program becomes a bundle", bundle.Reference},
		{"publishing", "keys, repositories, and how they are kept", publish.Reference},
		{"exports", "what apps show outside their sandbox, and who has which name", export.Reference},
		{"format", "what lies in a repository, byte by byte", repo.Reference},
		{"machine", "what a machine must offer, and how to lift what is missing", runtime.DoctorPage},
		{"exit-status", "what the exit status says", cli.ExitCodes + "\n"},
	}
}

func findTopic(name string) (topic, bool) {
	for _, t := range topics() {
		if t.name == name {
			return t, true
		}
	}
	return topic{}, false
}

func topicNames() []string {
	var names []string
	for _, t := range topics() {
		names = append(names, t.name)
	}
	return names
}
