import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.auth.AuthProvider;
import com.datastax.oss.driver.api.core.auth.ProgrammaticPlainTextAuthProvider;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.metadata.EndPoint;
import com.datastax.oss.driver.api.core.ssl.SslEngineFactory;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.FileInputStream;
import java.net.InetSocketAddress;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.aws.mcs.auth.SigV4AuthProvider;

/** The checks of the drivers in ../README.md, with the official Java stack (Java driver 4, SigV4 plugin). */
public final class Client {
  static final String KEYSPACE = System.getenv("KS_KEYSPACE");
  private static final JsonNode READY = ready();
  private static final JsonNode KEY = READY.get("credentials");
  private static final String REGION = READY.get("region").asText();

  /** One check. */
  interface Check {
    void run(CqlSession session) throws Exception;
  }

  public static void main(String[] args) throws Exception {
    Map<String, Check> checks = new LinkedHashMap<>();
    checks.put("wrong secret", session -> refused("Invalid signature", ca(), signer("x".repeat(40), REGION)));
    checks.put("wrong Region", session -> refused("Invalid signature", ca(), signer(secret(), "eu-west-1")));
    String unknown = System.getenv("KS_OTHER_CA");
    checks.put("unknown CA", session -> refused("unable to find valid certification path", unknown, signer(secret(), REGION)));
    checks.put("password", session -> password());
    checks.put("create and await", Client::create);
    checks.put("schema metadata", Client::metadata);
    Rows.checks(checks);
    Values.checks(checks);
    boolean failed = false;
    try (CqlSession session = connect(ca(), signer(secret(), REGION))) {
      equal(session.execute("SELECT cluster_name FROM system.local").one().getString(0), "Amazon Keyspaces", "cluster_name");
      System.out.println("ok connect");
      for (var check : checks.entrySet()) {
        try {
          check.getValue().run(session);
          System.out.println("ok " + check.getKey());
        } catch (Exception error) {
          failed = true;
          System.out.println(("failed " + check.getKey() + ": " + error).replace("\n", " "));
        }
      }
      session.execute("DROP KEYSPACE " + KEYSPACE);
    }
    System.exit(failed ? 1 : 0);
  }

  private static JsonNode ready() {
    try {
      return new ObjectMapper().readTree(new File(System.getenv("KS_READY")));
    } catch (Exception error) {
      throw new ExceptionInInitializerError(error);
    }
  }

  private static String ca() {
    return READY.get("ca").asText();
  }

  private static String secret() {
    return KEY.get("secret_key").asText();
  }

  private static AuthProvider signer(String secret, String region) {
    var key = AwsBasicCredentials.create(KEY.get("access_key").asText(), secret);
    return new SigV4AuthProvider(StaticCredentialsProvider.create(key), region);
  }

  private static CqlSession connect(String ca, AuthProvider login) throws Exception {
    var config =
        DriverConfigLoader.programmaticBuilder()
            .withString(DefaultDriverOption.REQUEST_CONSISTENCY, "LOCAL_QUORUM")
            // The driver's default of 2 s is too short for the first definition of a server that has just started.
            .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(10));
    return CqlSession.builder()
        .addContactPoint(new InetSocketAddress(READY.get("host").asText(), READY.get("port").asInt()))
        .withLocalDatacenter(REGION)
        .withConfigLoader(config.build())
        .withSslEngineFactory(new PinnedName(trusting(ca)))
        .withAuthProvider(login)
        .build();
  }

  /** Verifies the certificate of every peer for the name of the service. A bare SSLContext verifies the chain only. */
  private record PinnedName(SSLContext context) implements SslEngineFactory {
    @Override
    public SSLEngine newSslEngine(EndPoint remote) {
      SSLEngine engine = context.createSSLEngine(READY.get("names").get(1).asText(), READY.get("port").asInt());
      engine.setUseClientMode(true);
      SSLParameters parameters = engine.getSSLParameters();
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      engine.setSSLParameters(parameters);
      return engine;
    }

    @Override
    public void close() {}
  }

  private static SSLContext trusting(String pemFile) throws Exception {
    KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType());
    roots.load(null, null);
    try (var pem = new FileInputStream(pemFile)) {
      for (Certificate root : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
        roots.setCertificateEntry("root" + roots.size(), root);
      }
    }
    var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(roots);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  private static void refused(String text, String ca, AuthProvider login) throws Exception {
    CqlSession session;
    try {
      session = connect(ca, login);
    } catch (com.datastax.oss.driver.api.core.AllNodesFailedException error) {
      StringBuilder causes = new StringBuilder();
      error.getAllErrors().values().forEach(list -> list.forEach(cause -> withCauses(cause, causes)));
      if (!causes.toString().contains(text)) {
        throw new IllegalStateException(text + " is not in " + causes);
      }
      return;
    }
    session.close();
    throw new IllegalStateException("it connected");
  }

  private static void withCauses(Throwable error, StringBuilder into) {
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      into.append(cause).append("; ");
      Arrays.stream(cause.getSuppressed()).forEach(other -> withCauses(other, into));
    }
  }

  private static void password() throws Exception {
    var login = new ProgrammaticPlainTextAuthProvider(KEY.get("user").asText(), KEY.get("password").asText());
    try (CqlSession session = connect(ca(), login)) {
      equal(session.execute("SELECT key FROM system.local").one().getString(0), "local", "key");
    }
  }

  private static void create(CqlSession session) throws Exception {
    session.execute("CREATE KEYSPACE " + KEYSPACE + " WITH REPLICATION = {'class': 'SingleRegionStrategy'}");
    awaited(session, "SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name=?", KEYSPACE, KEYSPACE);
    session.execute("USE " + KEYSPACE);
    session.execute("CREATE TYPE address (street text, number int)");
    String types = "SELECT status FROM system_schema_mcs.types WHERE keyspace_name=? AND type_name='address'";
    awaited(session, types, "ACTIVE", KEYSPACE);
    StringBuilder scalars = new StringBuilder("id int PRIMARY KEY");
    Values.SCALARS.keySet().forEach(name -> scalars.append(", v_").append(name).append(' ').append(name));
    var tables =
        Map.of(
            "events",
            "device_id text, event_date date, event_time timestamp, event_type text, payload text, "
                + "PRIMARY KEY ((device_id, event_date), event_time)) WITH CLUSTERING ORDER BY (event_time DESC",
            "scalars",
            scalars.toString(),
            "nested",
            "id int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, f frozen<list<frozen<map<int, text>>>>, "
                + "a frozen<address>, al list<frozen<address>>, t tuple<int, text, boolean>",
            "counters",
            "id int PRIMARY KEY, n counter",
            "altered",
            "id int PRIMARY KEY, name text");
    tables.forEach((name, columns) -> session.execute("CREATE TABLE " + name + " (" + columns + ")"));
    for (String name : tables.keySet()) {
      active(session, name);
    }
  }

  static void active(CqlSession session, String table) throws Exception {
    String query = "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name=? AND table_name=?";
    awaited(session, query, "ACTIVE", KEYSPACE, table);
  }

  private static void awaited(CqlSession session, String query, String wanted, Object... values) throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    String seen = null;
    while (System.nanoTime() < deadline) {
      var row = session.execute(SimpleStatement.newInstance(query, values)).one();
      seen = row == null ? null : row.getString(0);
      if (wanted.equals(seen)) {
        return;
      }
      Thread.sleep(100);
    }
    throw new TimeoutException(query + ": " + seen + " instead of " + wanted + " after 60 s");
  }

  private static void metadata(CqlSession session) throws Exception {
    // The driver reads the schema some time after a schema event. This call waits until it has.
    session.refreshSchema();
    var keyspace = session.getMetadata().getKeyspace(KEYSPACE).orElseThrow();
    var table = keyspace.getTable("events").orElseThrow();
    var key = table.getPrimaryKey().stream().map(column -> column.getName().asInternal()).toList();
    equal(key, List.of("device_id", "event_date", "event_time"), "the key");
    equal(table.getColumn("event_time").orElseThrow().getType().asCql(false, true), "timestamp", "event_time");
    equal(keyspace.getUserDefinedType("address").orElseThrow().getFieldNames().size(), 2, "the fields of address");
  }

  static void equal(Object found, Object wanted, String what) {
    if (!Objects.equals(found, wanted)) {
      String text = what + " is " + found + ", not " + wanted;
      throw new IllegalStateException(text.substring(0, Math.min(text.length(), 600)));
    }
  }
}
