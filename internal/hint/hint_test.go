package hint

import (
	"errors"
	"fmt"
	"testing"
)

func TestHintSurvivesWrapping(t *testing.T) {
	base := errors.New("cannot open x")
	err := fmt.Errorf("cannot run: %w", With(base, "try %s", "y"))
	if got := Of(err); got != "try y" {
		t.Errorf("Of = %q", got)
	}
	if !errors.Is(err, base) {
		t.Error("the hint hides the error it carries")
	}
	if With(nil, "x") != nil || Of(base) != "" || Of(nil) != "" {
		t.Error("a hint appeared from nothing")
	}
}
