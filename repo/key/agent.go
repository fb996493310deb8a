package key

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"sandbox/internal/hint"
)

// The two requests of the agent protocol that are needed, and their answers
// (draft-ietf-sshm-ssh-agent).
const (
	agentList       = 11
	agentListAnswer = 12
	agentSign       = 13
	agentSignAnswer = 14

	maxAgentMessage = 256 << 10
	agentPatience   = 2 * time.Minute // the user may be asked to confirm
)

// AgentKey is a plain Ed25519 key that an ssh-agent holds.
type AgentKey struct {
	Comment string
	public  Public
	socket  string
}

func (a *AgentKey) Public() Public { return a.public }

// Label is the comment, which the user chose.
func (a *AgentKey) Label() string {
	if a.Comment == "" {
		return a.public.Fingerprint()
	}
	return a.Comment
}

// AgentKeys lists the plain Ed25519 keys of the agent that listens on socket.
func AgentKeys(socket string) ([]*AgentKey, error) {
	answer, err := askAgent(socket, []byte{agentList})
	if err == nil && answer[0] != agentListAnswer {
		err = errors.New("it does not list its keys")
	}
	if err != nil {
		return nil, agentError(err)
	}
	rest := answer[1:]
	if len(rest) < 4 {
		return nil, agentError(errCut)
	}
	count := binary.BigEndian.Uint32(rest)
	rest = rest[4:]
	var keys []*AgentKey
	for range count {
		blob, more, ok := cutString(rest)
		if !ok {
			return nil, agentError(errCut)
		}
		comment, more, ok := cutString(more)
		if !ok {
			return nil, agentError(errCut)
		}
		rest = more
		if p, err := parseBlob(blob); err == nil {
			keys = append(keys, &AgentKey{Comment: string(comment), public: p, socket: socket})
		}
	}
	return keys, nil
}

var (
	errCut     = errors.New("its answer is cut")
	errTooLong = errors.New("an ssh-agent signs no more than 256 KiB at once")
)

func agentError(err error) error {
	return hint.With(fmt.Errorf("cannot use the ssh-agent: %w", err), "'ssh-add -l' shows whether it runs and what it holds; SSH_AUTH_SOCK names its socket")
}

// Sign has the agent sign. What comes back is verified: an agent that signs
// something else must not spoil a repository.
func (a *AgentKey) Sign(message []byte) ([]byte, error) {
	request := append([]byte{agentSign}, appendString(appendString(nil, a.public.blob()), message)...)
	answer, err := askAgent(a.socket, binary.BigEndian.AppendUint32(request, 0))
	if errors.Is(err, errTooLong) {
		return nil, hint.With(fmt.Errorf("cannot sign with %q: %w", a.Label(), err), "use a key from a file for this role, or spread the repository over more bins")
	}
	if err != nil {
		return nil, agentError(err)
	}
	if answer[0] != agentSignAnswer {
		return nil, agentError(fmt.Errorf("it refuses to sign with %q", a.Label()))
	}
	outer, rest, ok := cutString(answer[1:])
	if !ok || len(rest) != 0 {
		return nil, agentError(errCut)
	}
	name, rest, ok := cutString(outer)
	if !ok || string(name) != algorithm {
		return nil, agentError(errors.New("its signature is of another kind"))
	}
	sig, rest, ok := cutString(rest)
	if !ok || len(rest) != 0 {
		return nil, agentError(errCut)
	}
	if !a.public.Verify(message, sig) {
		return nil, agentError(fmt.Errorf("its signature with %q is wrong", a.Label()))
	}
	return sig, nil
}

func askAgent(socket string, request []byte) ([]byte, error) {
	if socket == "" {
		return nil, errors.New("SSH_AUTH_SOCK is not set")
	}
	if len(request) > maxAgentMessage {
		return nil, errTooLong
	}
	c, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(agentPatience))
	if _, err := c.Write(appendString(nil, request)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxAgentMessage {
		return nil, fmt.Errorf("its answer has %d bytes", n)
	}
	answer := make([]byte, n)
	_, err = io.ReadFull(c, answer)
	return answer, err
}
