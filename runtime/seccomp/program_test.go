package seccomp

import (
	"math/rand/v2"
	"testing"
)

// want computes the answer from the policy, without libseccomp.
func want(r Rule, args [6]uint64) string {
	for _, c := range r.Cases {
		if matches(c, args) {
			return c.Action.String()
		}
	}
	return r.Action.String()
}

func matches(c Case, args [6]uint64) bool {
	for _, arg := range c.When {
		if uint32(args[arg.Index])&arg.Mask != arg.Value {
			return false
		}
	}
	return true
}

// Every number up to 1000, every variant: the program says what the policy
// says, whatever the arguments and their upper halves hold.
func TestProgramsSayWhatThePolicySays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	each(t, func(t *testing.T, m *machine, a ABI, f Features) {
		policy, err := Policy(a, f)
		if err != nil {
			t.Fatal(err)
		}
		rules := map[int]Rule{}
		for _, r := range policy {
			rules[r.Nr] = r.Rule
		}
		for nr := range 1000 {
			r := rules[nr] // zero when unknown: absent
			for _, args := range arguments(r, random) {
				got := verdict(m.run(t, call{a.Audit(), uint32(nr), args}))
				if got != want(r, args) {
					t.Fatalf("%d %s%#x: got %s, want %s", nr, r.Name, args, got, want(r, args))
				}
			}
		}
	})
}

// arguments gives noise, and for each case arguments that match it, alone and
// with noise in every bit that must not count.
func arguments(r Rule, random *rand.Rand) [][6]uint64 {
	noise := func() (args [6]uint64) {
		for i := range args {
			args[i] = random.Uint64()
		}
		return args
	}
	list := [][6]uint64{{}, noise()}
	for _, c := range r.Cases {
		var plain [6]uint64
		noisy := noise()
		for _, arg := range c.When {
			plain[arg.Index] = uint64(arg.Value)
			noisy[arg.Index] = noisy[arg.Index]&^uint64(arg.Mask) | uint64(arg.Value)
		}
		list = append(list, plain, noisy)
	}
	return list
}
