// The checks of the drivers in ../README.md, with the official Go stack (gocql, aws-sigv4-auth-cassandra-gocql-driver-plugin).
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

	"github.com/aws/aws-sigv4-auth-cassandra-gocql-driver-plugin/sigv4"
	"github.com/gocql/gocql"
)

// The ready file of keyspaces-local.
var ready struct {
	Host        string
	Port        int
	Names       []string
	CA          string
	Region      string
	Credentials struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
		User      string
		Password  string
	}
}

var keyspace = os.Getenv("KS_KEYSPACE")

func main() {
	text, err := os.ReadFile(os.Getenv("KS_READY"))
	if err == nil {
		err = json.Unmarshal(text, &ready)
	}
	var session *gocql.Session
	if err == nil {
		session, err = connect(ready.CA, signer(ready.Credentials.SecretKey, ready.Region))
	}
	if err == nil {
		var cluster string
		err = session.Query("SELECT cluster_name FROM system.local").Scan(&cluster)
		err = errors.Join(err, equal(cluster, "Amazon Keyspaces", "cluster_name"))
	}
	if err != nil {
		fmt.Println("failed connect:", err)
		os.Exit(1)
	}
	fmt.Println("ok connect")
	if err := create(session); err != nil {
		fmt.Println("failed create and await:", err)
		os.Exit(1)
	}
	fmt.Println("ok create and await")
	session.Close()
	// gocql takes the keyspace of its unqualified names when it connects, and from nowhere else.
	session, err = connect(ready.CA, signer(ready.Credentials.SecretKey, ready.Region), func(cluster *gocql.ClusterConfig) {
		cluster.Keyspace = keyspace
	})
	if err != nil {
		fmt.Println("failed to use the keyspace:", err)
		os.Exit(1)
	}
	status := 0
	for _, check := range checks {
		if err := check.run(session); err != nil {
			status = 1
			fmt.Println("failed "+check.name+":", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok", check.name)
		}
	}
	if err := session.Query("DROP KEYSPACE " + keyspace).Exec(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	session.Close()
	os.Exit(status)
}

var checks = []struct {
	name string
	run  func(*gocql.Session) error
}{
	{"wrong secret", func(*gocql.Session) error {
		return refused("Invalid signature", ready.CA, signer(strings.Repeat("x", 40), ready.Region))
	}},
	{"wrong Region", func(*gocql.Session) error {
		return refused("Invalid signature", ready.CA, signer(ready.Credentials.SecretKey, "eu-west-1"))
	}},
	{"unknown CA", func(*gocql.Session) error {
		known := signer(ready.Credentials.SecretKey, ready.Region)
		return refused("certificate signed by unknown authority", os.Getenv("KS_OTHER_CA"), known)
	}},
	{"password", func(*gocql.Session) error {
		login := gocql.PasswordAuthenticator{Username: ready.Credentials.User, Password: ready.Credentials.Password}
		session, err := connect(ready.CA, login)
		if err == nil {
			session.Close()
		}
		return err
	}},
	{"schema metadata", metadata},
	{"simple statements", simple},
	{"prepared statements", prepared},
	{"LIMIT", limit},
	{"pages", pages},
	{"conditional writes", conditional},
	{"batches", batches},
	{"collections", collections},
	{"user-defined types", userTypes},
	{"tuples", tuples},
	{"null and unset", nullAndUnset},
	{"JSON", inJSON},
	{"every type", everyType},
	{"prepared before ALTER TABLE", afterAlter},
}

func signer(secret, region string) gocql.Authenticator {
	return sigv4.AwsAuthenticator{Region: region, AccessKeyId: ready.Credentials.AccessKey, SecretAccessKey: secret}
}

func connect(ca string, login gocql.Authenticator, options ...func(*gocql.ClusterConfig)) (*gocql.Session, error) {
	cluster := gocql.NewCluster(net.JoinHostPort(ready.Host, strconv.Itoa(ready.Port)))
	cluster.Port = ready.Port // of the peers; the driver's default is 9042
	cluster.Consistency = gocql.LocalQuorum
	cluster.Authenticator = login
	// With CaPath alone, as in the plugin's README, nothing is verified.
	cluster.SslOpts = &gocql.SslOptions{
		Config:                 &tls.Config{ServerName: ready.Names[1]},
		CaPath:                 ca,
		EnableHostVerification: true,
	}
	for _, option := range options {
		option(cluster)
	}
	return cluster.CreateSession()
}

func refused(text, ca string, login gocql.Authenticator) error {
	session, err := connect(ca, login)
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
	if err := awaited(session, query, keyspace, keyspace); err != nil {
		return err
	}
	if err := session.Query("CREATE TYPE " + keyspace + ".address (street text, number int)").Exec(); err != nil {
		return err
	}
	query = "SELECT status FROM system_schema_mcs.types WHERE keyspace_name=? AND type_name='address'"
	if err := awaited(session, query, "ACTIVE", keyspace); err != nil {
		return err
	}
	columns := "id int PRIMARY KEY"
	for _, scalar := range scalars {
		columns += ", v_" + scalar.name + " " + scalar.name
	}
	tables := map[string]string{
		"events": "device_id text, event_date date, event_time timestamp, event_type text, payload text, " +
			"PRIMARY KEY ((device_id, event_date), event_time)) WITH CLUSTERING ORDER BY (event_time DESC",
		"scalars": columns,
		"nested": "id int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, f frozen<list<frozen<map<int, text>>>>, " +
			"a frozen<address>, al list<frozen<address>>, t tuple<int, text, boolean>",
		"counters": "id int PRIMARY KEY, n counter",
		"altered":  "id int PRIMARY KEY, name text",
	}
	for name, columns := range tables {
		if err := session.Query("CREATE TABLE " + keyspace + "." + name + " (" + columns + ")").Exec(); err != nil {
			return err
		}
	}
	for name := range tables {
		if err := active(session, name); err != nil {
			return err
		}
	}
	return nil
}

func active(session *gocql.Session, table string) error {
	query := "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name=? AND table_name=?"
	return awaited(session, query, "ACTIVE", keyspace, table)
}

func awaited(session *gocql.Session, query, wanted string, values ...any) error {
	var seen string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err := session.Query(query, values...).Scan(&seen); err != nil && err != gocql.ErrNotFound {
			return err
		}
		if seen == wanted {
			return nil
		}
	}
	return fmt.Errorf("%s: %q instead of %q after 60 s", query, seen, wanted)
}

func metadata(session *gocql.Session) error {
	known, err := session.KeyspaceMetadata(keyspace)
	if err != nil {
		return err
	}
	table := known.Tables["events"]
	if table == nil {
		return errors.New("the driver does not know the table")
	}
	var key []string
	for _, column := range append(table.PartitionKey, table.ClusteringColumns...) {
		key = append(key, column.Name)
	}
	return errors.Join(
		equal(key, []string{"device_id", "event_date", "event_time"}, "the key"),
		equal(table.Columns["event_time"].Type.Type(), gocql.TypeTimestamp, "event_time"),
	)
}
