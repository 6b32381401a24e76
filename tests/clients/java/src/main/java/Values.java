import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.data.TupleValue;
import com.datastax.oss.driver.api.core.data.UdtValue;
import com.datastax.oss.driver.api.core.uuid.Uuids;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** Checks of values: every type, collections, user-defined types, tuples, JSON. */
final class Values {
  /** Two values of each type that has no element types. */
  static final Map<String, List<Object>> SCALARS = scalars();

  static void checks(Map<String, Client.Check> checks) {
    checks.put("collections", Values::collections);
    checks.put("user-defined types", Values::userTypes);
    checks.put("tuples", Values::tuples);
    checks.put("JSON", Values::json);
    checks.put("every type", Values::everyType);
  }

  private static Map<String, List<Object>> scalars() {
    Map<String, List<Object>> values = new LinkedHashMap<>();
    byte[] bytes = new byte[256];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) i;
    }
    values.put("ascii", List.of("", "~"));
    values.put("bigint", List.of(Long.MIN_VALUE, Long.MAX_VALUE));
    values.put("blob", List.of(ByteBuffer.allocate(0), ByteBuffer.wrap(bytes)));
    values.put("boolean", List.of(false, true));
    values.put("date", List.of(LocalDate.of(1969, 12, 31), LocalDate.of(9999, 12, 31)));
    values.put(
        "decimal",
        List.of(new BigDecimal("-0.00000000000000000001"), new BigDecimal("12345678901234567890.123456789012345678")));
    values.put("double", List.of(-Double.MAX_VALUE, 0.1));
    values.put("float", List.of(-1.5f, 16777216f));
    values.put("inet", List.of(address("127.0.0.1"), address("2001:db8::1")));
    values.put("int", List.of(Integer.MIN_VALUE, Integer.MAX_VALUE));
    values.put("smallint", List.of(Short.MIN_VALUE, Short.MAX_VALUE));
    values.put("text", List.of("", "héllo ✓ 🦀"));
    values.put("time", List.of(LocalTime.MIN, LocalTime.MAX));
    values.put("timestamp", List.of(Instant.ofEpochMilli(-1), Instant.parse("2026-01-01T12:00:00.001Z")));
    values.put("timeuuid", List.of(UUID.fromString("00000000-0000-1000-8080-808080808080"), Uuids.timeBased()));
    values.put("tinyint", List.of(Byte.MIN_VALUE, Byte.MAX_VALUE));
    values.put("uuid", List.of(new UUID(0, 0), UUID.randomUUID()));
    values.put("varchar", List.of("", "x".repeat(1000)));
    values.put("varint", List.of(BigInteger.TEN.pow(37).negate(), BigInteger.TEN.pow(38).subtract(BigInteger.ONE)));
    return values;
  }

  private static InetAddress address(String text) {
    try {
      return InetAddress.getByName(text);
    } catch (UnknownHostException error) {
      throw new IllegalArgumentException(error);
    }
  }

  private static void everyType(CqlSession session) {
    String columns = String.join(", ", SCALARS.keySet().stream().map(name -> "v_" + name).toList());
    var insert = session.prepare("INSERT INTO scalars (id, " + columns + ") VALUES (?" + ", ?".repeat(SCALARS.size()) + ")");
    String select = "SELECT " + columns + " FROM scalars WHERE id=?";
    for (int i = 0; i < 2; i++) {
      List<Object> values = new ArrayList<>(List.of(i));
      for (var pair : SCALARS.values()) {
        values.add(pair.get(i));
      }
      session.execute(insert.bind(values.toArray()));
      for (var statement : List.of(SimpleStatement.newInstance(select, i), session.prepare(select).bind(i))) {
        Row row = session.execute(statement).one();
        int at = 0;
        for (String name : SCALARS.keySet()) {
          Client.equal(row.getObject(at), values.get(++at), name);
        }
      }
    }
    long sum = 0;
    for (long step : new long[] {1L << 40, -3}) {
      sum += step;
      session.execute(session.prepare("UPDATE counters SET n = n + ? WHERE id = 1").bind(step));
      Client.equal(session.execute("SELECT n FROM counters WHERE id=1").one().getLong(0), sum, "counter");
    }
  }

  private static Row nested(CqlSession session, int id) {
    return session.execute(session.prepare("SELECT l, s, m, f, a, al, t FROM nested WHERE id=?").bind(id)).one();
  }

  private static void collections(CqlSession session) {
    var insert = session.prepare("INSERT INTO nested (id, l, s, m, f) VALUES (?, ?, ?, ?, ?)");
    var frozen = List.of(Map.of(1, "x"), Map.of());
    session.execute(insert.bind(1, List.of(1, 2, 2), Set.of("a", "b"), Map.of("k", 1), frozen));
    var changes = new LinkedHashMap<String, Object>();
    changes.put("l = l + ?", List.of(3));
    changes.put("l = ? + l", List.of(0));
    changes.put("s = s + ?", Set.of("c"));
    changes.put("s = s - ?", Set.of("a"));
    changes.put("m = m + ?", Map.of("j", 2));
    changes.put("m['k'] = ?", 7);
    changes.forEach(
        (change, value) -> session.execute(session.prepare("UPDATE nested SET " + change + " WHERE id=1").bind(value)));
    Row row = nested(session, 1);
    Client.equal(row.getObject("l"), List.of(0, 1, 2, 2, 3), "l");
    Client.equal(row.getObject("s"), Set.of("b", "c"), "s");
    Client.equal(row.getObject("m"), Map.of("j", 2, "k", 7), "m");
    Client.equal(row.getObject("f"), frozen, "f");
    session.execute(insert.bind(2, List.of(), Set.of(), Map.of(), List.of()));
    row = nested(session, 2);
    Client.equal(row.isNull("l") && row.isNull("s") && row.isNull("m") && !row.isNull("f"), true, "only f is not null");
  }

  private static void userTypes(CqlSession session) {
    var insert = session.prepare("INSERT INTO nested (id, a, al) VALUES (?, ?, ?)");
    var type = (com.datastax.oss.driver.api.core.type.UserDefinedType) insert.getVariableDefinitions().get(1).getType();
    UdtValue main = type.newValue("Main", 1);
    List<UdtValue> side = List.of(type.newValue("Side", null));
    session.execute(insert.bind(3, main, side));
    Client.equal(nested(session, 3).getUdtValue("a"), main, "a");
    Client.equal(nested(session, 3).getList("al", UdtValue.class), side, "al");
  }

  private static void tuples(CqlSession session) {
    var insert = session.prepare("INSERT INTO nested (id, t) VALUES (?, ?)");
    var type = (com.datastax.oss.driver.api.core.type.TupleType) insert.getVariableDefinitions().get(1).getType();
    TupleValue value = type.newValue(1, "x", null);
    session.execute(insert.bind(4, value));
    Client.equal(nested(session, 4).getTupleValue("t"), value, "t");
  }

  private static void json(CqlSession session) throws Exception {
    session.execute("INSERT INTO nested JSON '{\"id\": 5, \"l\": [1, 2], \"m\": {\"k\": 1}}'");
    Client.equal(nested(session, 5).getObject("l"), List.of(1, 2), "l");
    Client.equal(nested(session, 5).getObject("m"), Map.of("k", 1), "m");
    String bound = "{\"id\": 6, \"s\": [\"b\", \"a\"], \"t\": [1, \"x\", true]}";
    session.execute(session.prepare("INSERT INTO nested JSON ?").bind(bound));
    String found = session.execute("SELECT JSON id, s, t, l FROM nested WHERE id=6").one().getString(0);
    var reader = new ObjectMapper();
    String wanted = "{\"id\": 6, \"s\": [\"a\", \"b\"], \"t\": [1, \"x\", true], \"l\": null}";
    Client.equal(reader.readTree(found), reader.readTree(wanted), "SELECT JSON");
  }
}
