package main

import (
	"sync"
	"sync/atomic"

	"github.com/gdamore/tcell/v2"
)

// steady sends the terminal only what differs from the frame before. The widget
// library clears the screen for every frame, after which tcell takes every cell
// for new and sends all of them: some 7 KiB a second at 120x40, seen as flicker
// on a slow line. Frames are therefore made in a buffer and copied at Show.
type steady struct {
	tcell.Screen
	frame tcell.CellBuffer
	whole atomic.Bool // the next frame is sent whatever was there before
	err   error       // of Init, which the widget library does not look at

	// tcell puts what Fini writes in with a frame that is being sent, and loses
	// both: the terminal would not be given back.
	sending sync.Mutex
	over    bool
}

func (s *steady) Init() error {
	s.err = s.Screen.Init()
	return s.err
}

// PollEvent looks out for new sizes: the cells that come with one look empty to
// us, while the terminal may show there what it hid when it was smaller.
func (s *steady) PollEvent() tcell.Event {
	ev := s.Screen.PollEvent()
	if _, ok := ev.(*tcell.EventResize); ok {
		s.whole.Store(true)
	}
	return ev
}

func (s *steady) Clear() {
	s.frame.Resize(s.Screen.Size())
	s.Fill(' ', tcell.StyleDefault)
}

func (s *steady) Fill(r rune, style tcell.Style) { s.frame.Fill(r, style) }

func (s *steady) Put(x, y int, text string, style tcell.Style) (string, int) {
	return s.frame.Put(x, y, text, style)
}

func (s *steady) SetContent(x, y int, r rune, marks []rune, style tcell.Style) {
	s.frame.SetContent(x, y, r, marks, style)
}

func (s *steady) Get(x, y int) (string, tcell.Style, int) { return s.frame.Get(x, y) }

func (s *steady) GetContent(x, y int) (rune, []rune, tcell.Style, int) {
	return s.frame.GetContent(x, y)
}

// Fini gives the terminal back. Any thread may call it, more than once.
func (s *steady) Fini() {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.over = true
	s.Screen.Fini()
}

func (s *steady) Sync() {
	s.sending.Lock()
	defer s.sending.Unlock()
	if !s.over {
		s.Screen.Sync()
	}
}

func (s *steady) Show() {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.over {
		return
	}
	w, h := s.frame.Size()
	whole := s.whole.Swap(false)
	for y := range h {
		for x := 0; x < w; {
			text, style, width := s.frame.Get(x, y)
			if old, was, before := s.Screen.Get(x, y); whole || old != text || was != style || before != width {
				s.Screen.Put(x, y, text, style)
			}
			x += width // what a wide character covers is not drawn
		}
	}
	s.Screen.Show()
}
