package testenv

import (
	"os"
	"strconv"
	"sync"
	"time"
)

// Patience is how long a test waits for what takes at most d on a real
// machine. SANDBOX_TEST_PATIENCE is the factor where the processor is emulated.
func Patience(d time.Duration) time.Duration { return time.Duration(float64(d) * patience()) }

var patience = sync.OnceValue(func() float64 {
	factor, err := strconv.ParseFloat(os.Getenv("SANDBOX_TEST_PATIENCE"), 64)
	if err != nil || factor < 1 {
		return 1
	}
	return factor
})
