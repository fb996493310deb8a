package client

import (
	"cmp"
	"context"
	"sync"
	"time"

	"sandbox/repo"
	"sandbox/repo/remote"
	"sandbox/repo/store"
)

// Client works on one store. Its methods are called one at a time.
type Client struct {
	Store  *store.Store   // what is changed
	Others []*store.Store // what is read besides: the machine's store, for a user
	Trust  string         // the store whose remotes are used, "" for Store's own

	Pace remote.Pace
	Now  func() time.Time // nil for the clock
	Arch string           // "" for this machine's

	// Progress is told how far long work has come, of several things in turn; it may
	// be nil and is called by one goroutine at a time.
	Progress func(Event)
	// BeforeUpdate keeps what an update may spoil: the app's home. An error
	// stops the update. It may be nil.
	BeforeUpdate func(ctx context.Context, old store.Record, to repo.Release) error
	// AfterChange is told what has become current. It may be nil.
	AfterChange func(ctx context.Context, changed []store.Record) error

	keepFrom int64 // remote.Large where it is 0

	telling sync.Mutex
	origins []*Origin
}

// Event is progress for a person. Done and Total are bytes, 0 when unknown.
type Event struct {
	Stage       string // look, download, install, done
	Text        string
	Ref         repo.Ref // what is downloaded or installed; several at a time
	Done, Total int64
	Kept        int64 // of Done: was here from an attempt that broke off
	Extra       int64 // came besides, unasked: the server sends files only whole
	Warning     bool
}

func (c *Client) tell(e Event) {
	if c.Progress != nil {
		c.telling.Lock()
		defer c.telling.Unlock()
		c.Progress(e)
	}
}

func (c *Client) warn(text string) { c.tell(Event{Stage: "look", Text: text, Warning: true}) }

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Client) arch() string {
	if c.Arch != "" {
		return c.Arch
	}
	return repo.HostArch()
}

// large is from how many packed bytes a content is kept as it comes.
func (c *Client) large() int64 { return cmp.Or(c.keepFrom, remote.Large) }

// arches are those that run here, the narrower first.
func (c *Client) arches() []string { return []string{c.arch(), repo.AnyArch} }

// Remotes are the configured ones.
func (c *Client) Remotes() remote.Set { return remote.In(cmp.Or(c.Trust, c.Store.Dir())) }

// Close gives up connections and files.
func (c *Client) Close() {
	for _, o := range c.origins {
		o.close()
	}
	c.origins = nil
}
