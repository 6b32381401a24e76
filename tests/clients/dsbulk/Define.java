import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import java.io.File;
import java.time.Duration;
import java.util.concurrent.TimeoutException;

/** Define CONFIG KEYSPACE: creates the keyspace and the table for DSBulk, which cannot create them itself. */
public final class Define {
  public static void main(String[] args) throws Exception {
    String keyspace = args[1];
    try (var session = CqlSession.builder().withConfigLoader(DriverConfigLoader.fromFile(new File(args[0]))).build()) {
      session.execute("CREATE KEYSPACE " + keyspace + " WITH REPLICATION = {'class': 'SingleRegionStrategy'}");
      await(session, "SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name='" + keyspace + "'", keyspace);
      session.execute(
          "CREATE TABLE " + keyspace + ".goods (shop text, number int, name text, price decimal, tags set<text>, "
              + "seen timestamp, PRIMARY KEY (shop, number))");
      await(session, "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name='" + keyspace + "'", "ACTIVE");
    }
  }

  private static void await(CqlSession session, String query, String wanted) throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (System.nanoTime() < deadline) {
      var row = session.execute(query).one();
      if (row != null && wanted.equals(row.getString(0))) {
        return;
      }
      Thread.sleep(100);
    }
    throw new TimeoutException(query + ": no " + wanted + " after 60 s");
  }
}
