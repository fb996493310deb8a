package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
)

// signalled is why a verb was given up.
type signalled syscall.Signal

func (s signalled) Error() string {
	if s == signalled(syscall.SIGINT) {
		return "interrupted"
	}
	return "ended by a signal: " + syscall.Signal(s).String()
}

// held is how long a key that is kept down counts as one signal.
const held = time.Second

// untilSignal ends with the first SIGINT or SIGTERM, which asks for an orderly
// end. One that comes later than held ends the program at once: what it does does
// not rely on being finished, but a terminal that was silenced must be restored.
func untilSignal(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	got := make(chan os.Signal, 1)
	signal.Notify(got, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-got:
			cancel(signalled(s.(syscall.Signal)))
			time.Sleep(held)
			signal.Stop(got)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(got); cancel(nil) }
}

// interrupted says plainly that it was a signal where err comes from one: which
// request it was that broke off helps nobody. Any other error stays what it is.
func interrupted(ctx context.Context, err error) error {
	why, ok := context.Cause(ctx).(signalled)
	if !ok || err == nil {
		return err
	}
	if _, mine := errors.AsType[signalled](err); !mine && !errors.Is(err, context.Canceled) {
		return err
	}
	return cli.Exit(cli.Signalled+int(why), hint.With(why, "what was finished stays, and the same command goes on from there"))
}
