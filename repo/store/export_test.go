package store

// SetFault makes f be called before every change.
func (s *Store) SetFault(f func(step string) error) { s.fault = f }

// Sync forces everything to the disk.
func (s *Store) Sync() error { return s.sync() }

// SetBoot pretends that the machine runs in another boot.
func (s *Store) SetBoot(id string) { s.boot = func() string { return id } }

// SetPlain pretends that the file system has neither hard links nor O_TMPFILE.
func (s *Store) SetPlain() { s.noLink, s.noTmp = true, true }

var Surplus, SurplusPartials = surplus, surplusPartials

var MaxHistory = maxHistory
