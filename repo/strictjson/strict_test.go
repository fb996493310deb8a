package strictjson

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

type inner struct {
	Name string `json:"name"`
}

type doc struct {
	Type  string            `json:"type"`
	N     int64             `json:"n"`
	In    inner             `json:"in"`
	List  []inner           `json:"list,omitempty"`
	Map   map[string]inner  `json:"map,omitempty"`
	Texts map[string]string `json:"texts,omitempty"`
	Raw   json.RawMessage   `json:"raw,omitempty"`
	Ptr   *inner            `json:"ptr,omitempty"`
	Any   any               `json:"any,omitempty"`
	inner int

	Small  uint8               `json:"small,omitempty"`
	Yes    bool                `json:"yes,omitempty"`
	Part   float64             `json:"part,omitempty"`
	Bytes  []byte              `json:"bytes,omitempty"`
	Words  []string            `json:"words,omitempty"`
	Pair   [2]int              `json:"pair,omitempty"`
	When   time.Time           `json:"when,omitzero"`
	Addr   netip.Addr          `json:"addr,omitzero"`
	Named  map[name]*int       `json:"named,omitempty"`
	Deeper map[string][]*inner `json:"deeper,omitempty"`
	Addrs  map[netip.Addr]int  `json:"addrs,omitempty"`
}

type name string

func TestUnmarshal(t *testing.T) {
	for _, c := range []struct {
		name, text, wrong string // wrong: part of the error; empty when accepted
	}{
		{"plain", `{"type":"a","n":1,"in":{"name":"x"}}`, ""},
		{"space around", " {\"type\" :\t\"a\"}\r\n", ""},
		{"empty", `{}`, ""},
		{"escapes in a text", `{"type":"\u00e9\n\ud83d\ude00\\"}`, ""},
		{"null where it may be", `{"ptr":null,"any":null,"raw":null}`, ""},
		{"any keys of a map", `{"map":{"A":{"name":"1"},"a":{"name":"2"}},"texts":{"Type":"x"}}`, ""},
		{"anything in raw", `{"raw":{"Name":[1.5,{"x":null}]}}`, ""},

		{"every type", everyType, ""},

		{"another case", `{"Type":"a"}`, `unknown key "Type"`},
		{"another case below", `{"in":{"Name":"a"}}`, `unknown key "Name"`},
		{"another case in a list", `{"list":[{"name":"a"},{"NAME":"a"}]}`, `unknown key "NAME"`},
		{"another case in a map", `{"map":{"a":{"NAME":"a"}}}`, `unknown key "NAME"`},
		{"Kelvin sign folds to k", "{\"\u212aey\":1}", "unknown key"},
		{"twice", `{"n":1,"n":1}`, `"n" stands there twice`},
		{"twice below", `{"in":{"name":"a","name":"a"}}`, "twice"},
		{"twice in raw", `{"raw":{"x":{"y":1,"y":2}}}`, "twice"},
		{"twice in any", `{"any":[{"y":1,"y":2}]}`, "twice"},
		{"twice by an escape", `{"n":1,"\u006e":2}`, "escape"},
		{"twice in raw by an escape", `{"raw":{"n":1,"\u006e":2}}`, "escape"},
		{"twice among many", `{"texts":{` + manyKeys(40) + `,"k3":""}}`, "twice"},
		{"unknown", `{"x":1}`, `unknown key "x"`},
		{"the name of a field without a tag", `{"inner":1}`, "unknown key"},
		{"null", `{"type":null}`, "null"},
		{"null as a whole", `null`, "null"},
		{"wrong type", `{"type":1}`, "cannot unmarshal"},
		{"fraction", `{"n":1.5}`, "cannot unmarshal"},
		{"too large", `{"n":9223372036854775808}`, "cannot unmarshal"},
		{"too large for a byte", `{"small":256}`, "cannot unmarshal"},
		{"below zero", `{"small":-1}`, "cannot unmarshal"},
		{"a zero before", `{"n":01}`, "invalid"},
		{"a minus between", `{"n":1-1}`, "invalid"},
		{"no base64", `{"bytes":"a"}`, "base64"},
		{"a text for a list", `{"words":"a"}`, "cannot unmarshal"},
		{"a list for a struct", `{"in":[]}`, "cannot unmarshal"},
		{"a struct for a text", `{"type":{}}`, "cannot unmarshal"},
		{"too many for an array of Go", `{"pair":[1,"x"]}`, "cannot unmarshal"},
		{"no address", `{"addr":"1.2.3"}`, "too short"},
		{"a second value", `{} {}`, "follows"},
		{"a second line", "{}\n[]", "follows"},
		{"NUL after it", "{}\x00", "follows"},
		{"byte order mark", "\ufeff{}", "not JSON"},
		{"UTF-16", "{\x00}\x00", "not JSON"},
		{"not UTF-8", "{\"type\":\"a\xff\"}", "UTF-8"},
		{"NUL by an escape", `{"type":"a\u0000b"}`, "NUL"},
		{"NUL", "{\"type\":\"a\x00b\"}", "control"},
		{"half a pair", `{"type":"\ud800"}`, "surrogate"},
		{"the other half", `{"type":"\udc00"}`, "surrogate"},
		{"half a pair and a letter", `{"type":"\ud800\u0041"}`, "surrogate"},
		{"line end in a text", "{\"type\":\"a\nb\"}", "control"},
		{"comment", `{/**/}`, "not JSON"},
		{"trailing comma", `{"n":1,}`, "not JSON"},
		{"NaN", `{"n":NaN}`, "not JSON"},
		{"nothing", ``, "end"},
		{"cut short", `{"n":1`, "not JSON"},
		{"cut in a text", `{"type":"a`, "end"},
		{"cut in an escape", `{"type":"\u00`, ""},
		{"deep", `{"raw":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, "levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d doc
			err := Unmarshal([]byte(c.text), &d)
			switch {
			case c.name == "cut in an escape":
				if err == nil {
					t.Error("accepted")
				}
			case c.wrong == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
				t.Errorf("got %+v, %v; want an error with %q", d, err, c.wrong)
			}
		})
	}
}

const everyType = `{"type":"a\u00e9","n":-7,"in":{"name":"x"},"list":[{"name":"a"},{}],"map":{"k":{"name":"y"}},"texts":{"a":"b","c":"\n"},
	"raw":{"x":[1,2.5]},"ptr":{"name":"z"},"any":[1,{"x":"y"}],"small":255,"yes":true,"part":-2.5e3,"bytes":"aGk=","words":["a","\t"],
	"pair":[1,2],"when":"2026-01-02T03:04:05Z","addr":"::1","named":{"a":1,"b":null},"deeper":{"a":[{"name":"x"},null],"b":[]},"addrs":{"1.2.3.4":5}}`

// What is filled while it is scanned is what the standard decoder makes of it.
func TestAsTheStandardDecoder(t *testing.T) {
	for _, text := range []string{everyType, `{}`, `{"list":[],"map":{},"words":[],"bytes":"","ptr":{}}`, `{"n":0}`, `{"n":-0}`,
		`{"ptr":null,"named":{"x":0}}`, `{"part":1}`, `{"n":-9223372036854775808,"small":0,"yes":false}`} {
		sameAsStandard(t, []byte(text))
	}
}

// sameAsStandard wants the same value, when a document is accepted; the standard
// decoder accepts it as well.
func sameAsStandard(t *testing.T, data []byte) {
	t.Helper()
	var ours, theirs doc
	if Unmarshal(data, &ours) != nil {
		return
	}
	if err := json.Unmarshal(data, &theirs); err != nil {
		t.Errorf("accepted %q, of which the standard decoder says: %v", data, err)
	}
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("%q became %+v, want %+v", data, ours, theirs)
	}
}

func manyKeys(n int) string {
	var keys []string
	for i := range n {
		keys = append(keys, `"k`+string(rune('0'+i%10))+strings.Repeat("x", i/10)+`":""`)
	}
	return strings.Join(keys, ",")
}

func TestCheck(t *testing.T) {
	for text, ok := range map[string]bool{
		`{"a":[1,2,{"b":null}]}`: true, `[]`: true, `"x"`: true, `-1.5e3`: true,
		`{"a":1,"a":1}`: false, `[1] 2`: false, `1-1`: false, `01`: false, `tru`: false, `[1,]`: false,
	} {
		if err := Check([]byte(text)); (err == nil) != ok {
			t.Errorf("Check(%s) = %v", text, err)
		}
	}
}

// What is accepted here, the standard decoder takes as well, and writing it
// and reading it again gives the same.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{everyType, `{"type":"a","n":1,"in":{"name":"x"}}`, `{"raw":{"a":[1,null]}}`, `{"type":"\ud83d\ude00"}`, `{"n":1,"n":2}`, `{"Type":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d, again doc
		if Unmarshal(data, &d) != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted what is not JSON: %q", data)
		}
		sameAsStandard(t, data)
		out, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := Unmarshal(out, &again); err != nil && d.List == nil {
			t.Fatalf("cannot read %q, written for %q: %v", out, data, err)
		}
		if d.List == nil && d.Raw == nil && !reflect.DeepEqual(d, again) {
			t.Fatalf("%+v became %+v", d, again)
		}
	})
}

func BenchmarkUnmarshalLine(b *testing.B) {
	line := []byte(`{"p":"files/share/doc/x/copyright","t":"f","o":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","s":1234,"x":true}`)
	var v struct {
		P string `json:"p"`
		T string `json:"t"`
		O string `json:"o"`
		S int64  `json:"s"`
		X bool   `json:"x"`
	}
	for b.Loop() {
		if err := Unmarshal(line, &v); err != nil {
			b.Fatal(err)
		}
	}
}
