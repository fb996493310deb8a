package main

import (
	"time"

	"sandbox/cmd/sandbox-tui/model"
)

// patience is how long a stopped app may take to end by itself.
const patience = 10 * time.Second

// steering are the keys that act upon an instance. none says why there is
// nothing to act upon.
func (a *app) steering(i model.Instance, none string) []binding {
	blocked := none
	if what := a.running.Busy(i.Key); blocked == "" && what != "" {
		blocked = i.Name + " is busy: " + what
	}
	hold := binding{strokes: letters("p"), short: "p", does: "pause", why: "Freezes every process of it until p is pressed again.", disabled: blocked,
		do: func() { a.act(i.Key, "pausing…", "is paused", a.world.Pause) }}
	if i.Paused && none == "" {
		hold.does, hold.why, hold.do = "resume", "Lets it go on.", func() { a.act(i.Key, "resuming…", "goes on", a.world.Resume) }
	}
	log := binding{strokes: letters("l"), short: "l", does: "log", why: "What it has written.", disabled: none,
		do: func() { a.open(newLog(a, i.Key)) }}
	if none == "" && !i.Detached {
		log.disabled = i.Name + " was not started with --detach: it writes to its own terminal"
	}
	// Killing is for what does not stop: only an instance that is being killed
	// is too busy for it.
	killable := none
	if a.running.Busy(i.Key) == killing {
		killable = blocked
	}
	return []binding{
		{strokes: letters("s"), short: "s", does: "stop", why: "Asks the app to end, and kills it when it does not.", dangerous: true, disabled: blocked,
			do: func() { a.confirm(i.Key, model.StopQuestion(i, patience), func() { a.stop(i.Key) }) }},
		{strokes: letters("K"), short: "K", does: "kill", why: "Ends every process of it at once.", dangerous: true, disabled: killable,
			do: func() {
				a.confirm(i.Key, model.KillQuestion(i), func() { a.act(i.Key, killing, "was killed", a.world.Kill) })
			}},
		hold, log,
	}
}

const killing = "killing…"

func (a *app) confirm(about model.Key, ask model.Question, yes func()) {
	a.open(&confirmView{a, about, ask, yes})
}

// act does something with an instance while the list says so.
func (a *app) act(k model.Key, doing, done string, do func(model.Key) error) {
	a.running.SetBusy(k, doing)
	a.work(func() func() {
		err := do(k)
		return func() {
			a.finish(k, doing, err)
			if err == nil {
				a.say(model.Good, "%s %s", k.Name, done)
			}
		}
	})
}

func (a *app) stop(k model.Key) {
	const doing = "stopping…"
	a.running.SetBusy(k, doing)
	a.work(func() func() {
		forced, err := a.world.Stop(k, patience)
		return func() {
			a.finish(k, doing, err)
			switch {
			case err == nil && forced:
				a.say(model.Warn, "%s did not end in %s and was killed", k.Name, patience)
			case err == nil:
				a.say(model.Good, "%s has stopped", k.Name)
			}
		}
	})
}

func (a *app) finish(k model.Key, doing string, err error) {
	if a.running.Busy(k) == doing {
		a.running.SetBusy(k, "")
	}
	if err != nil {
		a.fail(err)
	}
	a.hurry()
}
