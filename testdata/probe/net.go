package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	register(map[string]operation{
		"socket": func(a []string) (string, error) {
			fd, err := unix.Socket(number(a[0]), number(a[1]), number(a[2]))
			if err == nil {
				unix.Close(fd)
			}
			return "", err
		},
		// connect and listen take what Go calls a network and an address;
		// @NAME is an abstract socket.
		"connect": func(a []string) (string, error) {
			c, err := net.DialTimeout(a[0], a[1], 2*time.Second)
			if err == nil {
				c.Close()
			}
			return "", err
		},
		"listen": func(a []string) (string, error) {
			l, err := net.Listen(a[0], a[1])
			if err == nil {
				kept = append(kept, l)
			}
			return "", err
		},
		"interfaces": func([]string) (string, error) {
			all, err := net.Interfaces()
			var out []string
			for _, i := range all {
				out = append(out, fmt.Sprintf("%s(%s)", i.Name, i.Flags))
			}
			return strings.Join(out, " "), err
		},
		"hostname": func([]string) (string, error) { return os.Hostname() },
		"echo":     echo,
	})
}

var kept []any

// echo sends itself a line over the loopback interface.
func echo([]string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err == nil {
		c.Close()
	}
	return "", err
}

// order sends a packet to a control socket, perhaps from a name of its own, and
// says what came back.
func init() {
	register(map[string]operation{"order": func(a []string) (string, error) {
		var local *net.UnixAddr
		if len(a) > 2 {
			local = &net.UnixAddr{Name: a[2], Net: "unixpacket"}
		}
		c, err := net.DialUnix("unixpacket", local, &net.UnixAddr{Name: a[0], Net: "unixpacket"})
		if err != nil {
			return "", err
		}
		defer c.Close()
		if _, err := c.Write([]byte(a[1])); err != nil {
			return "", err
		}
		c.SetDeadline(time.Now().Add(2 * time.Second))
		buf, oob := make([]byte, 1<<20), make([]byte, 256)
		n, oobn, _, _, err := c.ReadMsgUnix(buf, oob)
		if oobn > 0 {
			return "fds " + string(buf[:n]), nil
		}
		return string(buf[:n]), err
	}})
}
