// Runs migrations up and down with golang-migrate, with the drivers of its command line. See ../README.md.
package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/gocql/gocql"
	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/cassandra"
	_ "github.com/golang-migrate/migrate/v4/source/file"
)

func main() {
	if err := run(); err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
}

// The ready file of keyspaces-local.
var ready struct {
	Host        string
	Port        int
	CA          string
	Credentials struct{ User, Password string }
}

func run() error {
	text, err := os.ReadFile(os.Getenv("KS_READY"))
	if err == nil {
		err = json.Unmarshal(text, &ready)
	}
	if err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	if err := createKeyspace(os.Getenv("KS_KEYSPACE")); err != nil {
		return fmt.Errorf("create keyspace: %w", err)
	}
	// The tool's own consistency is ALL, which the service refuses.
	query := url.Values{
		"username": {ready.Credentials.User}, "password": {ready.Credentials.Password}, "consistency": {"LOCAL_QUORUM"},
		// verify-full holds the certificate to the peer's address, which no certificate of the service carries.
		"sslmode": {"verify-ca"}, "sslrootcert": {ready.CA}, "protocol": {"4"},
	}
	database := fmt.Sprintf("cassandra://%s:%d/%s?%s", ready.Host, ready.Port, os.Getenv("KS_KEYSPACE"), query.Encode())
	migrations, err := migrate.New("file://"+os.Args[1], database)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer migrations.Close()
	fmt.Println("ok connect")
	for _, step := range []struct {
		name    string
		run     func() error
		version uint
	}{
		{"one up", func() error { return migrations.Steps(1) }, 1},
		{"the others up", migrations.Up, 3},
		{"nothing left to do", func() error {
			if err := migrations.Up(); !errors.Is(err, migrate.ErrNoChange) {
				return fmt.Errorf("%v instead of %w", err, migrate.ErrNoChange)
			}
			return nil
		}, 3},
		// The third has no way down: the service takes no column away.
		{"one down", func() error { return migrations.Steps(-1) }, 2},
		{"all down", migrations.Down, 0},
	} {
		err := step.run()
		version, dirty, known := migrations.Version()
		if errors.Is(known, migrate.ErrNilVersion) {
			version, known = 0, nil
		}
		if err = errors.Join(err, known); err == nil && (dirty || version != step.version) {
			err = fmt.Errorf("version %d, dirty %t, instead of %d", version, dirty, step.version)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Println("ok", step.name)
	}
	return nil
}

// createKeyspace creates the keyspace, which the tool expects to exist.
func createKeyspace(name string) error {
	cluster := gocql.NewCluster(net.JoinHostPort(ready.Host, strconv.Itoa(ready.Port)))
	cluster.Port = ready.Port
	cluster.Consistency = gocql.LocalQuorum
	cluster.Authenticator = gocql.PasswordAuthenticator{
		Username: ready.Credentials.User, Password: ready.Credentials.Password,
	}
	cluster.SslOpts = &gocql.SslOptions{
		Config: &tls.Config{ServerName: ready.Host}, CaPath: ready.CA, EnableHostVerification: true,
	}
	cluster.DisableInitialHostLookup = true
	session, err := cluster.CreateSession()
	if err != nil {
		return err
	}
	defer session.Close()
	if err := session.Query("CREATE KEYSPACE " + name + " WITH REPLICATION = {'class': 'SingleRegionStrategy'}").Exec(); err != nil {
		return err
	}
	query := "SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name=?"
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err := session.Query(query, name).Scan(&name); err != gocql.ErrNotFound {
			return err
		}
	}
	return errors.New("it is not there after 60 s")
}
