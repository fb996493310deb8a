package runtime

import (
	"os"

	"sandbox/runtime/terminal"
)

// register lists the instance and opens its control socket, while the child
// waits at its gate.
func (s *supervisor) register() error {
	if s.opt.Registry == nil {
		return nil
	}
	var err error
	if s.spaces, err = openNamespaces(s.proc.pid); err != nil {
		if failed := s.failure(); failed != nil {
			return failed
		}
		return err
	}
	e := &Entry{
		Instance: s.plan.Instance, App: s.plan.App, Version: s.plan.Version, Command: s.plan.Argv,
		PID: s.proc.pid, Supervisor: os.Getpid(), Started: s.start,
		Permissions: s.plan.Permissions, Notes: s.plan.Notes, Group: s.group.Ref(), Detached: s.opt.Detached,
	}
	if err := s.opt.Registry.add(e); err != nil {
		return err
	}
	s.entry = e
	s.control, err = listen(s.opt.Registry.socket(e.Instance), s.asked, s.end)
	return err
}

// inspect looks at the caller's standard descriptors.
func inspect(fds [3]int) (terminal.Std, error) {
	std, err := terminal.Inspect(fds)
	if err != nil {
		return std, err
	}
	return std, refuseDirectories(std)
}
