package main

import (
	"errors"
	"fmt"
	"strings"

	"sandbox/internal/cli"
	"sandbox/internal/hint"
	"sandbox/runtime"
)

// find is an instance by what a person calls it, or says which may have been meant.
func find(r *runtime.Registry, name string) (*runtime.Entry, error) {
	e, err := r.Find(name)
	if missing, ok := errors.AsType[*runtime.NoInstance](err); ok {
		return nil, hint.With(err, "%s", maybe(name, missing.Running))
	}
	return e, err
}

// mostNames is how many instances a hint names.
const mostNames = 5

// maybe says which instances a name that none has may stand for, or else which run.
func maybe(name string, running []*runtime.Entry) string {
	var near, all []string
	for _, e := range running {
		all = append(all, e.Instance)
		if isNear(name, e) {
			near = append(near, e.Instance)
		}
	}
	switch {
	case len(all) == 0:
		return "nothing runs; 'sandbox ps' lists what does"
	case len(near) == 1:
		return fmt.Sprintf("did you mean %s? 'sandbox ps' lists what runs", near[0])
	case len(near) > 1 && len(near) <= mostNames:
		return fmt.Sprintf("did you mean one of %s? 'sandbox ps' lists what runs", strings.Join(near, ", "))
	case len(all) <= mostNames:
		return fmt.Sprintf("what runs, by 'sandbox ps': %s", strings.Join(all, ", "))
	}
	return "'sandbox ps' lists what runs"
}

// isNear tells whether a name begins one of an instance's, or is a typo of it.
func isNear(name string, e *runtime.Entry) bool {
	name = strings.ToLower(name)
	for _, word := range []string{e.Instance, e.App, e.App[strings.LastIndexByte(e.App, '.')+1:]} {
		word = strings.ToLower(word)
		if name != "" && strings.HasPrefix(word, name) || cli.Nearest(name, []string{word}) != "" {
			return true
		}
	}
	return false
}
