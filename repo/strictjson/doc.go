// Package strictjson reads JSON that was written by others, so that every
// reader understands the same thing.
//
// The standard decoder matches keys without regard to case, lets the last of
// two equal keys win, turns broken text into U+FFFD and takes null for
// anything. A document can then say one thing to the program that shows it and
// another to the program that obeys it (B02, B23 in the list of attacks). Here
// each of these is an error, as is a key that the type does not have, and
// anything after the value.
//
// It is for small documents: the caller has bounded their length. Fields that
// are missing keep their zero value, which callers refuse where it matters.
package strictjson
