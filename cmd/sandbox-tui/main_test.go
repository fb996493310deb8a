package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/gdamore/tcell/v2"

	"sandbox/cmd/sandbox-tui/model"
	"sandbox/internal/e2e"
)

// The test program is also what crashes on purpose, on a terminal of its own.
func TestMain(m *testing.M) {
	if where := os.Getenv("SANDBOX_TUI_CRASH"); where != "" {
		crash(where)
	}
	os.Exit(e2e.Main(m))
}

// crash runs the app until something in it fails.
func crash(where string) {
	screen, err := tcell.NewScreen()
	if err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
	a := newApp(&fake{list: three()}, theme{true})
	switch where {
	case "work":
		a.world = panicking{a.world}
	case "draw":
		a.views = append(a.views, broken{a.views[0]})
	}
	fmt.Println(a.run(screen))
	os.Exit(8)
}

type panicking struct{ world }

func (panicking) List() ([]model.Instance, error) { panic("a bug\x1b[2J") }

type broken struct{ view }

func (broken) draw(canvas) { panic("a bug") }
