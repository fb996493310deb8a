package disk

import (
	"errors"

	"golang.org/x/sys/unix"
)

// ReadFD reads the open file from its start: a regular one of at most limit
// bytes, or it is an error. Without os.File, which would try the poller first.
func ReadFD(fd int, limit int64) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, errors.New("it is not a regular file")
	case st.Size > limit:
		return nil, errors.New("it is too large")
	}
	buf := make([]byte, st.Size)
	for n := 0; n < len(buf); {
		m, err := unix.Pread(fd, buf[n:], int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case m == 0:
			return buf[:n], nil // it has become shorter
		default:
			n += m
		}
	}
	return buf, nil
}
