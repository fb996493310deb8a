package client

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sandbox/internal/hint"
	"sandbox/repo"
	"sandbox/repo/remote"
	"sandbox/repo/strictjson"
	"sandbox/repo/trust"
)

// NewRemote is a repository that may be added, with the root that it would be
// trusted by.
type NewRemote struct {
	remote.Remote
	First *trust.Root // the first root of the repository: its identity
	Now   *trust.Root // the root that was given, or the first one
	Known bool        // somebody vouched for the root: its fingerprint or the root itself was given
}

// LookAt fetches what has to be looked at before a repository is trusted. key is
// a fingerprint that was given, file a .sandboxremote; both may be missing, and
// then a person has to compare the fingerprint.
func (c *Client) LookAt(ctx context.Context, r remote.Remote, key string, file *remote.File) (*NewRemote, error) {
	if err := remote.CheckName(r.Name); err != nil {
		return nil, err
	}
	if _, err := c.Remotes().Get(r.Name); !errors.Is(err, remote.ErrNoRemote) {
		if err == nil {
			err = hint.With(fmt.Errorf("there is a remote %q already", r.Name), "'sandbox remote modify %s' changes it", r.Name)
		}
		return nil, err
	}
	if key != "" {
		if err := remote.CheckFingerprint(key); err != nil {
			return nil, err
		}
	}
	src, err := remote.OpenSource(r.Address, c.Pace)
	if err != nil {
		return nil, err
	}
	if err := checkLayout(ctx, src); err != nil {
		return nil, err
	}
	n := &NewRemote{Remote: r}
	if n.First, err = firstRoot(ctx, src); err != nil {
		return nil, err
	}
	n.Now = n.First
	if key != "" {
		if n.First.Fingerprint != key {
			return nil, hint.With(fmt.Errorf("cannot trust %s: %w: %s", r.Address, trust.ErrFingerprint, n.First.Fingerprint), "somebody is in between, or this is another repository")
		}
		n.Known = true
	}
	if file != nil {
		if err := n.given(ctx, src, file.Root); err != nil {
			return nil, fmt.Errorf("cannot trust %s: %w", r.Address, err)
		}
	}
	n.Root = n.First.Fingerprint
	return n, c.refuseTwin(n.Remote)
}

// refuseTwin: a repository under two names would have two memories of what it
// said, and what is installed is updated from one of them.
func (c *Client) refuseTwin(r remote.Remote) error {
	all, _ := c.Remotes().List() // one that cannot be read is not in the way
	for _, o := range all {
		if o.Root == r.Root {
			return hint.With(fmt.Errorf("cannot add %q: the remote %q is that very repository", r.Name, o.Name), "where it has moved, 'sandbox remote modify %s --url %s' follows it", o.Name, r.Address)
		}
	}
	return nil
}

// checkLayout looks whether there is a repository, and one that this program can
// read. Nobody has signed that: it is for a better message only.
func checkLayout(ctx context.Context, src remote.Source) error {
	data, err := src.Fetch(ctx, "sandbox-repo.json", 4<<10)
	if errors.Is(err, remote.ErrNotFound) {
		return hint.With(fmt.Errorf("cannot find a repository there: %w", err), "is the address right? it is the directory with sandbox-repo.json")
	}
	if err != nil {
		return err
	}
	var layout struct {
		Format int `json:"format"`
		Bins   int `json:"bins"`
	}
	if err := strictjson.Unmarshal(data, &layout); err != nil {
		return fmt.Errorf("cannot read sandbox-repo.json of %s: %w", src, err)
	}
	if layout.Format != repo.Format {
		return hint.With(fmt.Errorf("cannot read %s: its format is %d and this program knows %d", src, layout.Format, repo.Format), "a newer version of sandbox may know it")
	}
	return nil
}

func firstRoot(ctx context.Context, src remote.Source) (*trust.Root, error) {
	data, err := src.Fetch(ctx, "1.root.json", trust.MaxRoot)
	if errors.Is(err, remote.ErrNotFound) {
		return nil, hint.With(fmt.Errorf("cannot find a repository there: %w", err), "is the address right? it is the directory with timestamp.json")
	}
	if err != nil {
		return nil, err
	}
	root, err := trust.ReadRoot(data)
	if err == nil && root.Version != 1 {
		err = fmt.Errorf("it has the version %d", root.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the first root of %s: %w", src, err)
	}
	return root, nil
}

// given takes the root of a .sandboxremote as the trusted one. It must be of the
// repository at the address: its first root, or one that follows from it.
func (n *NewRemote) given(ctx context.Context, src remote.Source, data []byte) error {
	root, err := trust.ReadRoot(data)
	if err != nil {
		return fmt.Errorf("the root in the file: %w", err)
	}
	if err := trust.Follows(ctx, src, n.First, root); err != nil {
		return err
	}
	n.Now, n.Known = root, true
	return nil
}

// AddRemote adds what LookAt has shown. Then it asks it for the first time: what
// cannot be verified is not added.
func (c *Client) AddRemote(ctx context.Context, n *NewRemote) error {
	dir := c.Remotes().Dir(n.Name)
	if _, err := os.Lstat(dir); err == nil { // left by an addition or a removal that was cut short
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	n.Added = c.now().UTC()
	err := trust.Init(dir, n.Now)
	if err == nil {
		o := &Origin{Remote: n.Remote, dir: dir}
		err = c.refresh(ctx, o)
		o.close()
	}
	if err == nil {
		err = c.Remotes().Put(n.Remote)
	}
	if err != nil {
		os.RemoveAll(dir)
		return err
	}
	c.origins = nil
	return nil
}
