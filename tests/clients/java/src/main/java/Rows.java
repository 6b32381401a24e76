import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.BatchType;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Checks of rows: reads, pages, conditions, batches. */
final class Rows {
  private static final LocalDate DAY = LocalDate.of(2026, 1, 1);
  private static final Instant MIDNIGHT = Instant.parse("2026-01-01T00:00:00Z");
  private static final String INSERT =
      "INSERT INTO events (device_id, event_date, event_time, event_type, payload) VALUES (?, ?, ?, ?, ?)";
  private static final String SELECT = "SELECT * FROM events WHERE device_id=? AND event_date=?";
  private static final String NAME = "INSERT INTO altered (id, name) VALUES (?, ?)";

  static void checks(Map<String, Client.Check> checks) {
    checks.put("simple statements", Rows::simple);
    checks.put("prepared statements", Rows::prepared);
    checks.put("LIMIT", Rows::limit);
    checks.put("pages", Rows::pages);
    checks.put("conditional writes", Rows::conditional);
    checks.put("batches", Rows::batches);
    checks.put("null and unset", Rows::nullAndUnset);
    checks.put("prepared before ALTER TABLE", Rows::afterAlter);
  }

  private static List<Object> event(String device, int i, String payload) {
    return List.of(device, DAY, MIDNIGHT.plusMillis(i), "click", payload);
  }

  private static List<List<Object>> newestFirst(String device, int number, String payload) {
    return IntStream.range(0, number).mapToObj(i -> event(device, number - 1 - i, payload)).toList();
  }

  private static void insertEvents(CqlSession session, String device, int number, String payload) {
    var insert = session.prepare(INSERT);
    IntStream.range(0, number)
        .mapToObj(i -> session.executeAsync(insert.bind(event(device, i, payload).toArray())).toCompletableFuture())
        .toList()
        .forEach(java.util.concurrent.CompletableFuture::join);
  }

  private static List<List<Object>> all(ResultSet result) {
    List<List<Object>> rows = new ArrayList<>();
    for (Row row : result) {
      rows.add(values(row));
    }
    return rows;
  }

  private static List<Object> values(Row row) {
    List<Object> values = new ArrayList<>();
    for (int at = 0; at < row.size(); at++) {
      values.add(row.getObject(at));
    }
    return values;
  }

  private static void simple(CqlSession session) {
    session.execute(SimpleStatement.newInstance(INSERT, event("simple", 1, "it's").toArray()));
    Client.equal(all(session.execute(SELECT, "simple", DAY)), List.of(event("simple", 1, "it's")), "the rows");
  }

  private static void prepared(CqlSession session) {
    insertEvents(session, "prepared", 3, "p");
    var select = session.prepare("SELECT * FROM events WHERE device_id=:device AND event_date=:day");
    var bound = select.bind().setString("device", "prepared").setLocalDate("day", DAY);
    Client.equal(all(session.execute(bound)), newestFirst("prepared", 3, "p"), "the rows");
  }

  private static void limit(CqlSession session) {
    insertEvents(session, "limit", 15, "p");
    var wanted = newestFirst("limit", 15, "p");
    var select = session.prepare(SELECT + " LIMIT ?");
    for (int limit : new int[] {1, 4, 10, 15, 100}) {
      for (int page : new int[] {0, 3, 10, 15}) {
        // 0 or less selects the driver's default, 5000.
        var found = all(session.execute(select.bind("limit", DAY, limit).setPageSize(page)));
        Client.equal(found, wanted.subList(0, Math.min(limit, 15)), "LIMIT " + limit + " with pages of " + page);
      }
      var found = all(session.execute(SimpleStatement.newInstance(SELECT + " LIMIT " + limit, "limit", DAY)));
      Client.equal(found, wanted.subList(0, Math.min(limit, 15)), "LIMIT " + limit + " in a simple statement");
    }
  }

  private static void pages(CqlSession session) {
    String large = "y".repeat(50_000);
    insertEvents(session, "pages", 1000, "p");
    insertEvents(session, "large", 60, large);
    var select = session.prepare(SELECT);
    for (int page : new int[] {0, 300, 500}) {
      var found = all(session.execute(select.bind("pages", DAY).setPageSize(page)));
      Client.equal(found, newestFirst("pages", 1000, "p"), "pages of " + page);
    }
    Client.equal(all(session.execute(select.bind("large", DAY))), newestFirst("large", 60, large), "large rows");
  }

  private static void conditional(CqlSession session) {
    var insert = session.prepare(NAME + " IF NOT EXISTS");
    var update = session.prepare("UPDATE altered SET name = ? WHERE id = ? IF name = ?");
    Client.equal(values(session.execute(insert.bind(10, "a")).one()), List.of(true), "the first INSERT");
    Client.equal(values(session.execute(insert.bind(10, "b")).one()), List.of(false, 10, "a"), "the second INSERT");
    Client.equal(values(session.execute(update.bind("c", 10, "a")).one()), List.of(true), "UPDATE");
    Client.equal(values(session.execute(update.bind("d", 10, "a")).one()), List.of(false, "c"), "UPDATE again");
    Client.equal(session.execute("DELETE FROM altered WHERE id = 11 IF EXISTS").wasApplied(), false, "DELETE of nothing");
    Client.equal(session.execute("DELETE FROM altered WHERE id = 10 IF name = 'c'").wasApplied(), true, "DELETE");
    Client.equal(session.execute("SELECT * FROM altered WHERE id = 10").one(), null, "the row");
  }

  private static String name(CqlSession session, int id) {
    return session.execute(SimpleStatement.newInstance("SELECT name FROM altered WHERE id=?", id)).one().getString(0);
  }

  private static void batches(CqlSession session) {
    var insert = session.prepare(NAME);
    Map.of(BatchType.LOGGED, 20, BatchType.UNLOGGED, 30)
        .forEach(
            (kind, first) -> {
              session.execute(
                  BatchStatement.newInstance(
                      kind,
                      insert.bind(first, "prepared"),
                      SimpleStatement.newInstance(NAME, first + 1, "simple"),
                      SimpleStatement.newInstance("UPDATE altered SET name = 'text' WHERE id = " + (first + 2))));
              var names = IntStream.range(0, 3).mapToObj(i -> name(session, first + i)).toList();
              Client.equal(names, List.of("prepared", "simple", "text"), kind.toString());
            });
  }

  private static void nullAndUnset(CqlSession session) {
    var insert = session.prepare(NAME);
    session.execute(insert.bind(40, "a"));
    session.execute(insert.bind(40));
    Client.equal(name(session, 40), "a", "the name after unset");
    session.execute(insert.bind(40, null));
    Client.equal(name(session, 40), null, "the name after null");
  }

  private static void afterAlter(CqlSession session) throws Exception {
    var insert = session.prepare(NAME);
    var star = session.prepare("SELECT * FROM altered WHERE id = ?");
    var named = session.prepare("SELECT id, name FROM altered WHERE id = ?");
    session.execute(insert.bind(50, "before"));
    Client.equal(values(session.execute(star.bind(50)).one()), List.of(50, "before"), "SELECT *");
    session.execute("ALTER TABLE altered ADD email text");
    Client.active(session, "altered");
    session.execute(insert.bind(51, "after"));
    session.execute("UPDATE altered SET email = 'a@b' WHERE id = 51");
    for (var expected : Map.of(50, "before", 51, "after").entrySet()) {
      var wanted = List.of(expected.getKey(), expected.getValue());
      Client.equal(values(session.execute(named.bind(expected.getKey())).one()), wanted, "the named columns");
      // Another text: with protocol version 4, this driver reads an older prepared statement with its old columns.
      String fresh = "SELECT * FROM altered WHERE id = :id";
      Row row = session.execute(session.prepare(fresh).bind(expected.getKey())).one();
      Client.equal(List.of(row.getInt("id"), row.getString("name")), wanted, "SELECT *");
    }
  }
}
