package e2e

import (
	"bytes"
	"sync"
)

// lockedBuffer collects output while others look at it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}
