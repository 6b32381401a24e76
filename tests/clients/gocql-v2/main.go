// gocql v2 (github.com/apache/cassandra-gocql-driver) without a ProtoVersion, so that it negotiates the protocol version.
// No SigV4 plugin exists for it, so it logs in with a password.
package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// The ready file of keyspaces-local.
var ready struct {
	Host        string
	Port        int
	Names       []string
	CA          string
	Credentials struct{ User, Password string }
}

var keyspace = os.Getenv("KS_KEYSPACE")

func main() {
	text, err := os.ReadFile(os.Getenv("KS_READY"))
	if err == nil {
		err = json.Unmarshal(text, &ready)
	}
	var session *gocql.Session
	if err == nil {
		session, err = connect(ready.CA, ready.Credentials.Password)
	}
	if err != nil {
		fmt.Println("failed connect without a ProtoVersion:", err)
		os.Exit(1)
	}
	defer session.Close()
	fmt.Println("ok connect without a ProtoVersion")
	status := 0
	for _, check := range []struct {
		name string
		run  func(*gocql.Session) error
	}{
		{"wrong password", func(*gocql.Session) error { return refused("are incorrect", ready.CA, "x") }},
		{"unknown CA", func(*gocql.Session) error {
			return refused("unknown authority", os.Getenv("KS_OTHER_CA"), ready.Credentials.Password)
		}},
		{"create and await", create},
		{"LIMIT", limit},
		{"pages", pages},
		{"conditional writes", conditional},
		{"batches", batches},
	} {
		if err := check.run(session); err != nil {
			status = 1
			fmt.Println("failed "+check.name+":", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok", check.name)
		}
	}
	os.Exit(status)
}

func connect(ca, password string) (*gocql.Session, error) {
	cluster := gocql.NewCluster(net.JoinHostPort(ready.Host, strconv.Itoa(ready.Port)))
	cluster.Port = ready.Port
	cluster.Consistency = gocql.LocalQuorum
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: ready.Credentials.User, Password: password}
	cluster.SslOpts = &gocql.SslOptions{
		Config:                 &tls.Config{ServerName: ready.Names[1]},
		CaPath:                 ca,
		EnableHostVerification: true,
	}
	return cluster.CreateSession()
}

func refused(text, ca, password string) error {
	session, err := connect(ca, password)
	if err == nil {
		session.Close()
		return errors.New("it connected")
	}
	if !strings.Contains(err.Error(), text) {
		return fmt.Errorf("%q is not in %q", text, err)
	}
	return nil
}

func create(session *gocql.Session) error {
	err := session.Query("CREATE KEYSPACE " + keyspace + " WITH REPLICATION = {'class': 'SingleRegionStrategy'}").Exec()
	if err != nil {
		return err
	}
	query := "SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name=?"
	if err := awaited(session, query, keyspace); err != nil {
		return err
	}
	create := "CREATE TABLE " + keyspace + ".numbers (id int, n int, payload text, PRIMARY KEY (id, n))"
	if err := session.Query(create).Exec(); err != nil {
		return err
	}
	return awaited(session, "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name=? AND table_name='numbers'", "ACTIVE")
}

func awaited(session *gocql.Session, query, wanted string) error {
	var seen string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err := session.Query(query, keyspace).Scan(&seen); err != nil && err != gocql.ErrNotFound {
			return err
		}
		if seen == wanted {
			return nil
		}
	}
	return fmt.Errorf("%s: %q instead of %q after 60 s", query, seen, wanted)
}

func insert(session *gocql.Session, id, number int, payload string) error {
	for n := range number {
		statement := "INSERT INTO " + keyspace + ".numbers (id, n, payload) VALUES (?, ?, ?)"
		if err := session.Query(statement, id, n, payload).Exec(); err != nil {
			return err
		}
	}
	return nil
}

// check reads all pages and expects `number` rows: 0, 1, and so on.
func check(iter *gocql.Iter, number int, payload string) error {
	var n, rows int
	var body string
	for iter.Scan(&n, &body) {
		if n != rows || body != payload {
			iter.Close()
			return fmt.Errorf("row %d is %d, or its payload differs", rows, n)
		}
		rows++
	}
	if err := iter.Close(); err != nil {
		return err
	}
	if rows != number {
		return fmt.Errorf("%d rows instead of %d", rows, number)
	}
	return nil
}

func limit(session *gocql.Session) error {
	if err := insert(session, 1, 15, "p"); err != nil {
		return err
	}
	for _, number := range []int{1, 4, 10, 15, 100} {
		for _, page := range []int{5000, 3, 10, 15} {
			query := session.Query("SELECT n, payload FROM "+keyspace+".numbers WHERE id=1 LIMIT ?", number)
			if err := check(query.PageSize(page).Iter(), min(number, 15), "p"); err != nil {
				return fmt.Errorf("LIMIT %d with pages of %d: %w", number, page, err)
			}
		}
	}
	return nil
}

func pages(session *gocql.Session) error {
	large := strings.Repeat("y", 50_000)
	if err := insert(session, 2, 60, large); err != nil {
		return err
	}
	return check(session.Query("SELECT n, payload FROM "+keyspace+".numbers WHERE id=2").Iter(), 60, large)
}

func conditional(session *gocql.Session) error {
	statement := "INSERT INTO " + keyspace + ".numbers (id, n, payload) VALUES (3, 0, ?) IF NOT EXISTS"
	for i, wanted := range []bool{true, false} {
		found := map[string]any{}
		applied, err := session.Query(statement, fmt.Sprint(i)).MapScanCAS(found)
		if err != nil {
			return err
		}
		if applied != wanted || !applied && found["payload"] != "0" {
			return fmt.Errorf("INSERT %d: applied %t, row %v", i, applied, found)
		}
	}
	return nil
}

func batches(session *gocql.Session) error {
	for id, kind := range map[int]gocql.BatchType{4: gocql.LoggedBatch, 5: gocql.UnloggedBatch} {
		batch := session.Batch(kind)
		for n := range 3 {
			batch.Query("INSERT INTO "+keyspace+".numbers (id, n, payload) VALUES (?, ?, 'b')", id, n)
		}
		if err := batch.Exec(); err != nil {
			return err
		}
		query := session.Query("SELECT n, payload FROM "+keyspace+".numbers WHERE id=?", id)
		if err := check(query.Iter(), 3, "b"); err != nil {
			return err
		}
	}
	return nil
}
