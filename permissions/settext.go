package permissions

import (
	"errors"
	"fmt"
	"strings"
)

const (
	denyMark   = "deny "
	exceptMark = "  except "
)

// String lists the Set, one line for each grant, limit and denial; what is
// taken out of one grant alone follows it:
//
//	files:home:write
//	  except files:~/Private:read
//	limit:memory=512M
//	deny files:~/.ssh:read
//
// ParseSet reads it back.
func (s Set) String() string {
	var b strings.Builder
	for _, g := range s.grants {
		b.WriteString(g.Permission.String() + "\n")
		for _, e := range g.except {
			b.WriteString(exceptMark + e.Permission.String() + "\n")
		}
	}
	for _, v := range s.limits {
		b.WriteString("limit:" + v.subject() + "\n")
	}
	for _, d := range s.denies {
		if d.whole {
			b.WriteString(denyMark + string(d.Kind) + "\n")
			continue
		}
		b.WriteString(denyMark + d.Permission.String() + "\n")
	}
	return b.String()
}

// ParseSet reads what String writes; empty lines are skipped.
func ParseSet(text string) (Set, error) {
	b := builder{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if err := b.line(strings.TrimSuffix(line, "\n")); err != nil {
			return Set{}, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return b.set(), nil
}

func (b *builder) line(line string) error {
	denied, deny := strings.CutPrefix(line, denyMark)
	excepted, except := strings.CutPrefix(line, exceptMark)
	switch {
	case line == "":
		return nil
	case deny && kindOf(Kind(denied)) != nil:
		b.s.denies = append(b.s.denies, rule{Permission: Permission{Kind: Kind(denied)}, whole: true})
		return nil
	case deny:
		p, err := Parse(denied)
		if err == nil {
			b.deny(p)
		}
		return err
	case except:
		return b.except(excepted)
	}
	p, err := Parse(line)
	if err == nil {
		b.grant(p, nil)
	}
	return err
}

func (b *builder) except(text string) error {
	p, err := Parse(text)
	if err != nil {
		return err
	}
	last := len(b.s.grants) - 1
	if last < 0 || b.s.grants[last].Kind != p.Kind {
		return errors.New("an exception follows the grant it belongs to")
	}
	b.s.grants[last].except = append(b.s.grants[last].except, newMask(p))
	return nil
}
