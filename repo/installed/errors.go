package installed

import (
	"fmt"
	"strings"

	"sandbox/internal/hint"
)

// NotInstalled says that no store holds what was asked for.
type NotInstalled struct {
	Name string
	Have []string // ids that are installed, for a suggestion
}

func (e *NotInstalled) Error() string { return fmt.Sprintf("%q is not installed", e.Name) }

func ambiguous(name string, ids []string) error {
	return hint.With(fmt.Errorf("%q means more than one app", name), "name one of %s", strings.Join(ids, ", "))
}

func severalChannels(id string, channels []string) error {
	return hint.With(fmt.Errorf("%s is installed from several channels", id), "choose one with --channel: %s", strings.Join(channels, ", "))
}

func damaged(r Ref, why error) error {
	return hint.With(fmt.Errorf("the installed %s is damaged: %w", r.ID, why), "'sandbox repair %s' mends it", r.ID)
}
