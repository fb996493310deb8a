package model

import (
	"fmt"
	"time"

	"sandbox/internal/safe"
)

// Question is what a person is asked before something ends.
type Question struct {
	Title  string
	Text   []string
	Does   string // what the confirming key does: "stop it"
	Refuse string // and the other one: "leave it running"
	Bad    bool   // something is lost for certain
}

// StopQuestion names what stopping does.
func StopQuestion(i Instance, patience time.Duration) Question {
	q := Question{
		Title: fmt.Sprintf("Stop %s?", safe.Text(i.Name)),
		Text: []string{
			"The app is asked to end (SIGTERM) and can still save its work.",
			fmt.Sprintf("If it has not ended after %s, it is killed, and what it has not saved is lost.", age(patience)),
		},
		Does: "stop it", Refuse: "leave it running",
	}
	if i.Paused {
		q.Text = append(q.Text, "It is paused and goes on for that.")
		q.Refuse = "leave it paused"
	}
	return q
}

// KillQuestion names what killing does.
func KillQuestion(i Instance) Question {
	what := "Every process of it ends at once"
	if i.Pids > 0 {
		what = fmt.Sprintf("%s of it ends at once", processes(i.Pids))
		if i.Pids > 1 {
			what = fmt.Sprintf("All %s of it end at once", processes(i.Pids))
		}
	}
	return Question{
		Title: fmt.Sprintf("KILL %s?", safe.Text(i.Name)),
		Text:  []string{what + ". The app is not asked: what it has not saved is lost, and files it is writing stay half-written."},
		Does:  "KILL it", Refuse: "leave it alone", Bad: true,
	}
}
