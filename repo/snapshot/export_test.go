package snapshot

// SetFault makes f be called before every change.
func (h *Home) SetFault(f func(step string) error) { h.fault = f }

// SetPlain pretends that the file system cannot exchange two names.
func (h *Home) SetPlain() { h.plain = true }

var ValidName = validName
