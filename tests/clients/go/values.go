package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gocql/gocql"
	"gopkg.in/inf.v0"
)

var scalars = []struct {
	name   string
	values [2]any
}{
	{"ascii", [2]any{"", "~"}},
	{"bigint", [2]any{int64(math.MinInt64), int64(math.MaxInt64)}},
	{"blob", [2]any{[]byte{}, everyByte()}},
	{"boolean", [2]any{false, true}},
	{"date", [2]any{time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}},
	{"decimal", [2]any{decimal("-0.00000000000000000001"), decimal("12345678901234567890.123456789012345678")}},
	{"double", [2]any{-math.MaxFloat64, 0.1}},
	{"float", [2]any{float32(-1.5), float32(16777216)}},
	{"inet", [2]any{net.ParseIP("127.0.0.1"), net.ParseIP("2001:db8::1")}},
	{"int", [2]any{int32(math.MinInt32), int32(math.MaxInt32)}},
	{"smallint", [2]any{int16(math.MinInt16), int16(math.MaxInt16)}},
	{"text", [2]any{"", "héllo ✓ 🦀"}},
	{"time", [2]any{time.Duration(0), 24*time.Hour - 1}},
	{"timestamp", [2]any{time.UnixMilli(-1), time.Date(2026, 1, 1, 12, 0, 0, 1e6, time.UTC)}},
	{"timeuuid", [2]any{uuid("00000000-0000-1000-8080-808080808080"), gocql.TimeUUID()}},
	{"tinyint", [2]any{int8(-128), int8(127)}},
	{"uuid", [2]any{gocql.UUID{}, gocql.MustRandomUUID()}},
	{"varchar", [2]any{"", strings.Repeat("x", 1000)}},
	{"varint", [2]any{integer("-1" + strings.Repeat("0", 37)), integer(strings.Repeat("9", 38))}},
}

func everyByte() []byte {
	bytes := make([]byte, 256)
	for i := range bytes {
		bytes[i] = byte(i)
	}
	return bytes
}

func decimal(text string) *inf.Dec { value, _ := new(inf.Dec).SetString(text); return value }

func integer(text string) *big.Int { value, _ := new(big.Int).SetString(text, 10); return value }

func uuid(text string) gocql.UUID { value, _ := gocql.ParseUUID(text); return value }

// equal compares the contents of values, because times, numbers and addresses have several representations.
func equal(found, wanted any, what string) error {
	same := reflect.DeepEqual(found, wanted)
	switch wanted := wanted.(type) {
	case time.Time:
		same = wanted.Equal(found.(time.Time))
	case *big.Int:
		same = wanted.Cmp(found.(*big.Int)) == 0
	case *inf.Dec:
		same = wanted.Cmp(found.(*inf.Dec)) == 0 && wanted.Scale() == found.(*inf.Dec).Scale()
	case []byte:
		same = bytes.Equal(wanted, found.([]byte))
	case net.IP:
		same = wanted.Equal(found.(net.IP))
	}
	if !same {
		return fmt.Errorf("%s is %v, not %v", what, found, wanted)
	}
	return nil
}

func everyType(session *gocql.Session) error {
	columns, markers := "", ""
	for _, scalar := range scalars {
		columns += ", v_" + scalar.name
		markers += ", ?"
	}
	for i := range 2 {
		values, found := []any{i}, []any{new(int)}
		for _, scalar := range scalars {
			values = append(values, scalar.values[i])
			found = append(found, reflect.New(reflect.TypeOf(scalar.values[i])).Interface())
		}
		if err := session.Query("INSERT INTO scalars (id"+columns+") VALUES (?"+markers+")", values...).Exec(); err != nil {
			return err
		}
		if err := session.Query("SELECT id"+columns+" FROM scalars WHERE id=?", i).Scan(found...); err != nil {
			return err
		}
		for at, scalar := range scalars {
			if err := equal(reflect.ValueOf(found[at+1]).Elem().Interface(), scalar.values[i], scalar.name); err != nil {
				return err
			}
		}
	}
	sum := int64(0)
	for _, step := range []int64{1 << 40, -3} {
		sum += step
		var n int64
		err := session.Query("UPDATE counters SET n = n + ? WHERE id = 1", step).Exec()
		err = errors.Join(err, session.Query("SELECT n FROM counters WHERE id=1").Scan(&n))
		if err := errors.Join(err, equal(n, sum, "counter")); err != nil {
			return err
		}
	}
	return nil
}

func collections(session *gocql.Session) error {
	insert := "INSERT INTO nested (id, l, s, m, f) VALUES (?, ?, ?, ?, ?)"
	frozen := []map[int]string{{1: "x"}, {}}
	err := session.Query(insert, 1, []int{1, 2, 2}, []string{"a", "b"}, map[string]int{"k": 1}, frozen).Exec()
	if err != nil {
		return err
	}
	for _, step := range []struct {
		change string
		value  any
	}{
		{"l = l + ?", []int{3}}, {"l = ? + l", []int{0}}, {"s = s + ?", []string{"c"}}, {"s = s - ?", []string{"a"}},
		{"m = m + ?", map[string]int{"j": 2}}, {"m['k'] = ?", 7},
	} {
		if err := session.Query("UPDATE nested SET "+step.change+" WHERE id=1", step.value).Exec(); err != nil {
			return err
		}
	}
	var l []int
	var s []string
	var m map[string]int
	var f []map[int]string
	if err := session.Query("SELECT l, s, m, f FROM nested WHERE id=1").Scan(&l, &s, &m, &f); err != nil {
		return err
	}
	slices.Sort(s)
	err = errors.Join(
		equal(l, []int{0, 1, 2, 2, 3}, "l"), equal(s, []string{"b", "c"}, "s"),
		equal(m, map[string]int{"j": 2, "k": 7}, "m"), equal(f, frozen, "f"),
		session.Query(insert, 2, []int{}, []string{}, map[string]int{}, []map[int]string{}).Exec(),
	)
	if err != nil {
		return err
	}
	if err := session.Query("SELECT l, s, m, f FROM nested WHERE id=2").Scan(&l, &s, &m, &f); err != nil {
		return err
	}
	if l != nil || s != nil || m != nil || f == nil || len(f) != 0 {
		return fmt.Errorf("empty collections became %v, %v, %v, %v", l, s, m, f)
	}
	return nil
}

type address struct {
	Street string `cql:"street"`
	Number *int   `cql:"number"`
}

func userTypes(session *gocql.Session) error {
	one := 1
	main, side := address{"Main", &one}, []address{{Street: "Side"}}
	if err := session.Query("INSERT INTO nested (id, a, al) VALUES (?, ?, ?)", 3, main, side).Exec(); err != nil {
		return err
	}
	var a address
	var al []address
	if err := session.Query("SELECT a, al FROM nested WHERE id=3").Scan(&a, &al); err != nil {
		return err
	}
	return errors.Join(equal(a, main, "a"), equal(al, side, "al"))
}

func tuples(session *gocql.Session) error {
	// gocql has a tuple as one value for each of its elements, and binds no whole one.
	if err := session.Query("INSERT INTO nested (id, t) VALUES (?, (?, ?, ?))", 4, 1, "x", nil).Exec(); err != nil {
		return err
	}
	var number int
	var text string
	var truth *bool
	err := session.Query("SELECT t FROM nested WHERE id=4").Scan(&number, &text, &truth)
	return errors.Join(err, equal([]any{number, text, truth}, []any{1, "x", (*bool)(nil)}, "t"))
}

func inJSON(session *gocql.Session) error {
	literal := `INSERT INTO nested JSON '{"id": 5, "l": [1, 2], "m": {"k": 1}}'`
	if err := session.Query(literal).Exec(); err != nil {
		return err
	}
	var l []int
	var m map[string]int
	if err := session.Query("SELECT l, m FROM nested WHERE id=5").Scan(&l, &m); err != nil {
		return err
	}
	bound := `{"id": 6, "s": ["b", "a"], "t": [1, "x", true]}`
	if err := session.Query("INSERT INTO nested JSON ?", bound).Exec(); err != nil {
		return err
	}
	var text string
	var found map[string]any
	err := session.Query("SELECT JSON id, s, t, l FROM nested WHERE id=6").Scan(&text)
	err = errors.Join(err, json.Unmarshal([]byte(text), &found))
	wanted := map[string]any{"id": 6.0, "s": []any{"a", "b"}, "t": []any{1.0, "x", true}, "l": nil}
	return errors.Join(
		err, equal(found, wanted, "SELECT JSON"), equal(l, []int{1, 2}, "l"), equal(m, map[string]int{"k": 1}, "m"),
	)
}
