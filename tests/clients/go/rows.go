package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gocql/gocql"
)

var midnight = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	insertEvent  = "INSERT INTO events (device_id, event_date, event_time, event_type, payload) VALUES (?, ?, ?, ?, ?)"
	insertName   = "INSERT INTO altered (id, name) VALUES (?, ?)"
	selectEvents = "SELECT event_date, event_time, event_type, payload FROM events WHERE device_id=? AND event_date=?"
)

func at(i int) time.Time { return midnight.Add(time.Duration(i) * time.Millisecond) }

func insertEvents(session *gocql.Session, device string, number int, payload string) error {
	errs := make(chan error)
	for i := range number {
		go func() { errs <- session.Query(insertEvent, device, midnight, at(i), "click", payload).Exec() }()
	}
	var err error
	for range number {
		err = errors.Join(err, <-errs)
	}
	return err
}

// checkEvents reads all pages and expects `number` events: first, first-1, and so on.
func checkEvents(iter *gocql.Iter, first, number int, payload string) error {
	var day, when time.Time
	var kind, body string
	rows := 0
	for iter.Scan(&day, &when, &kind, &body) {
		if !day.Equal(midnight) || !when.Equal(at(first-rows)) || kind != "click" || body != payload {
			iter.Close()
			return fmt.Errorf("row %d is the event of %s, not of %s, or its content differs", rows, when, at(first-rows))
		}
		rows++
	}
	return errors.Join(iter.Close(), equal(rows, number, "the number of rows"))
}

func simple(session *gocql.Session) error {
	// gocql prepares whatever has values, and every SELECT.
	insert := "INSERT INTO events (device_id, event_date, event_time, event_type, payload) VALUES " +
		"('simple', '2026-01-01', '2026-01-01T00:00:00.001Z', 'click', 'it''s')"
	if err := session.Query(insert).Exec(); err != nil {
		return err
	}
	text := strings.NewReplacer("device_id=?", "device_id='simple'", "event_date=?", "event_date='2026-01-01'")
	return checkEvents(session.Query(text.Replace(selectEvents)).Iter(), 1, 1, "it's")
}

func prepared(session *gocql.Session) error {
	if err := insertEvents(session, "prepared", 3, "p"); err != nil {
		return err
	}
	return checkEvents(session.Query(selectEvents, "prepared", midnight).Iter(), 2, 3, "p")
}

func limit(session *gocql.Session) error {
	if err := insertEvents(session, "limit", 15, "p"); err != nil {
		return err
	}
	for _, number := range []int{1, 4, 10, 15, 100} {
		for _, page := range []int{5000, 3, 10, 15} { // 5000 is the driver's default
			iter := session.Query(selectEvents+" LIMIT ?", "limit", midnight, number).PageSize(page).Iter()
			if err := checkEvents(iter, 14, min(number, 15), "p"); err != nil {
				return fmt.Errorf("LIMIT %d with pages of %d: %w", number, page, err)
			}
		}
	}
	return nil
}

func pages(session *gocql.Session) error {
	large := strings.Repeat("y", 50_000)
	if err := errors.Join(insertEvents(session, "pages", 1000, "p"), insertEvents(session, "large", 60, large)); err != nil {
		return err
	}
	for _, page := range []int{5000, 300, 500} {
		if err := checkEvents(session.Query(selectEvents, "pages", midnight).PageSize(page).Iter(), 999, 1000, "p"); err != nil {
			return fmt.Errorf("pages of %d: %w", page, err)
		}
	}
	return checkEvents(session.Query(selectEvents, "large", midnight).Iter(), 59, 60, large)
}

func conditional(session *gocql.Session) error {
	var id int
	var name string
	for _, step := range []struct {
		statement string
		values    []any
		applied   bool
		found     map[string]any
	}{
		{insertName + " IF NOT EXISTS", []any{10, "a"}, true, nil},
		{insertName + " IF NOT EXISTS", []any{10, "b"}, false, map[string]any{"id": 10, "name": "a"}},
		{"UPDATE altered SET name = ? WHERE id = ? IF name = ?", []any{"c", 10, "a"}, true, nil},
		{"UPDATE altered SET name = ? WHERE id = ? IF name = ?", []any{"d", 10, "a"}, false, map[string]any{"name": "c"}},
		{"DELETE FROM altered WHERE id = 11 IF EXISTS", nil, false, map[string]any{}},
		{"DELETE FROM altered WHERE id = 10 IF name = 'c'", nil, true, nil},
	} {
		found := map[string]any{}
		applied, err := session.Query(step.statement, step.values...).MapScanCAS(found)
		if err == nil {
			err = equal(applied, step.applied, step.statement)
		}
		if err == nil && !applied {
			err = equal(found, step.found, step.statement)
		}
		if err != nil {
			return err
		}
	}
	if err := session.Query("SELECT id, name FROM altered WHERE id = 10").Scan(&id, &name); err != gocql.ErrNotFound {
		return fmt.Errorf("the row is still there, or: %w", err)
	}
	return nil
}

func nameOf(session *gocql.Session, id int) (name *string, err error) {
	err = session.Query("SELECT name FROM altered WHERE id=?", id).Scan(&name)
	return
}

func checkName(session *gocql.Session, id int, wanted string) error {
	name, err := nameOf(session, id)
	if err != nil {
		return err
	}
	if name == nil {
		return fmt.Errorf("the name of %d is null, not %q", id, wanted)
	}
	return equal(*name, wanted, fmt.Sprint("the name of ", id))
}

func batches(session *gocql.Session) error {
	for kind, first := range map[gocql.BatchType]int{gocql.LoggedBatch: 20, gocql.UnloggedBatch: 30} {
		batch := session.NewBatch(kind)
		batch.Query(insertName, first, "prepared")
		batch.Query(fmt.Sprintf("UPDATE altered SET name = 'text' WHERE id = %d", first+1))
		if err := session.ExecuteBatch(batch); err != nil {
			return err
		}
		if err := errors.Join(checkName(session, first, "prepared"), checkName(session, first+1, "text")); err != nil {
			return err
		}
	}
	return nil
}

func nullAndUnset(session *gocql.Session) error {
	for _, step := range []struct{ value, wanted any }{{"a", "a"}, {gocql.UnsetValue, "a"}, {nil, nil}} {
		if err := session.Query(insertName, 40, step.value).Exec(); err != nil {
			return err
		}
		name, err := nameOf(session, 40)
		if err != nil {
			return err
		}
		if (name == nil) != (step.wanted == nil) || name != nil && *name != step.wanted {
			return fmt.Errorf("the name after %v is %v", step.value, name)
		}
	}
	return nil
}

func afterAlter(session *gocql.Session) error {
	star := func(id int) (map[string]any, error) {
		row := map[string]any{}
		return row, session.Query("SELECT * FROM altered WHERE id = ?", id).MapScan(row)
	}
	if err := session.Query(insertName, 50, "before").Exec(); err != nil {
		return err
	}
	row, err := star(50)
	if err = errors.Join(err, equal(row, map[string]any{"id": 50, "name": "before"}, "SELECT *")); err != nil {
		return err
	}
	if err := session.Query("ALTER TABLE altered ADD email text").Exec(); err != nil {
		return err
	}
	if err := active(session, "altered"); err != nil {
		return err
	}
	if err := session.Query(insertName, 51, "after").Exec(); err != nil {
		return err
	}
	if err := session.Query("UPDATE altered SET email = 'a@b' WHERE id = 51").Exec(); err != nil {
		return err
	}
	for id, name := range map[int]string{50: "before", 51: "after"} {
		if err := checkName(session, id, name); err != nil {
			return err
		}
		row, err := star(id)
		if err != nil {
			return fmt.Errorf("SELECT *: %w", err)
		}
		delete(row, "email")
		if err := equal(row, map[string]any{"id": id, "name": name}, "SELECT *"); err != nil {
			return err
		}
	}
	return nil
}
