import static java.util.stream.Collectors.joining;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.services.keyspaces.KeyspacesClient;
import software.amazon.awssdk.services.keyspaces.model.AccessDeniedException;
import software.amazon.awssdk.services.keyspaces.model.CapacitySpecificationSummary;
import software.amazon.awssdk.services.keyspaces.model.ClientSideTimestampsStatus;
import software.amazon.awssdk.services.keyspaces.model.ColumnDefinition;
import software.amazon.awssdk.services.keyspaces.model.ConflictException;
import software.amazon.awssdk.services.keyspaces.model.CreateTableRequest;
import software.amazon.awssdk.services.keyspaces.model.EncryptionType;
import software.amazon.awssdk.services.keyspaces.model.FieldDefinition;
import software.amazon.awssdk.services.keyspaces.model.GetTableResponse;
import software.amazon.awssdk.services.keyspaces.model.InternalServerException;
import software.amazon.awssdk.services.keyspaces.model.KeyspaceSummary;
import software.amazon.awssdk.services.keyspaces.model.PointInTimeRecoveryStatus;
import software.amazon.awssdk.services.keyspaces.model.ResourceNotFoundException;
import software.amazon.awssdk.services.keyspaces.model.RestoreTableRequest;
import software.amazon.awssdk.services.keyspaces.model.Rs;
import software.amazon.awssdk.services.keyspaces.model.ServiceQuotaExceededException;
import software.amazon.awssdk.services.keyspaces.model.SortOrder;
import software.amazon.awssdk.services.keyspaces.model.TableSummary;
import software.amazon.awssdk.services.keyspaces.model.Tag;
import software.amazon.awssdk.services.keyspaces.model.ThroughputMode;
import software.amazon.awssdk.services.keyspaces.model.TimeToLiveStatus;
import software.amazon.awssdk.services.keyspaces.model.ValidationException;

/** The checks of the AWS SDKs in ../README.md, with the AWS SDK for Java v2. */
public final class Client {
  private static final String KEYSPACE = System.getenv("KS_KEYSPACE");

  private final Service service;
  private final KeyspacesClient keyspaces;
  private final String arn;

  /** One check. */
  interface Check {
    void run() throws Exception;
  }

  private Client(Service service) throws Exception {
    this.service = service;
    this.keyspaces = service.connect();
    this.arn = "arn:aws:cassandra:" + service.region() + ":111122223333:/keyspace/" + KEYSPACE + "/";
  }

  public static void main(String[] args) throws Exception {
    Client client = new Client(Service.of("KS_READY"));
    Map<String, Check> checks = new LinkedHashMap<>();
    checks.put("unknown CA", client::unknownCa);
    checks.put("wrong secret", client::wrongSecret);
    checks.put("unknown key", client::unknownKey);
    checks.put("wrong Region", client::wrongRegion);
    checks.put("keyspace", client::keyspace);
    checks.put("Regions", client::regions);
    checks.put("user-defined type", client::userType);
    checks.put("create and await", client::create);
    checks.put("describe", client::describe);
    checks.put("tags", client::tags);
    checks.put("alter", client::alter);
    checks.put("restore", client::restore);
    checks.put("pages", client::pages);
    checks.put("ValidationException", client::validation);
    checks.put("ConflictException", client::conflict);
    checks.put("ResourceNotFoundException", client::notFound);
    checks.put("ServiceQuotaExceededException", client::quota);
    checks.put("AccessDeniedException", client::accessDenied);
    checks.put("InternalServerException", client::internal);
    checks.put("delete", client::delete);
    boolean failed = false;
    for (var check : checks.entrySet()) {
      try {
        check.getValue().run();
        System.out.println("ok " + check.getKey());
      } catch (Exception | AssertionError error) {
        failed = true;
        System.out.println(("failed " + check.getKey() + ": " + error).replace("\n", " "));
      }
    }
    System.exit(failed ? 1 : 0);
  }

  private static Supplier<Object> listing(Service service) throws Exception {
    KeyspacesClient keyspaces = service.connect();
    return () -> keyspaces.listKeyspaces(request -> {});
  }

  private void unknownCa() throws Exception {
    try {
      listing(service.withCa(System.getenv("KS_OTHER_CA"))).get();
    } catch (SdkClientException error) {
      if (error.getMessage().contains("unable to find valid certification path")) {
        return;
      }
      throw error;
    }
    throw new AssertionError("it was trusted");
  }

  private void wrongSecret() throws Exception {
    Service wrong = service.withKey(null, "x".repeat(40));
    Service.refused("InvalidSignatureException", "does not match", listing(wrong));
  }

  private void unknownKey() throws Exception {
    Service unknown = service.withKey("AKIAIOSFODNN7EXAMPLE", null);
    Service.refused("UnrecognizedClientException", "security token", listing(unknown));
  }

  private void wrongRegion() throws Exception {
    Service.refused("InvalidSignatureException", "'eu-west-1'", listing(service.withRegion("eu-west-1")));
  }

  /** GetKeyspace shows no status. A keyspace that is found can be used. */
  private boolean found(String name) {
    try {
      return keyspaces.getKeyspace(request -> request.keyspaceName(name)).keyspaceName().equals(name);
    } catch (ResourceNotFoundException error) {
      return false;
    }
  }

  private void keyspace() throws Exception {
    var made = keyspaces.createKeyspace(request -> request.keyspaceName(KEYSPACE).tags(tag("team", "shop")));
    Service.equal(made.resourceArn(), arn);
    Service.awaited(() -> found(KEYSPACE), true);
    var shown = keyspaces.getKeyspace(request -> request.keyspaceName(KEYSPACE));
    Service.equal(shown.resourceArn(), arn);
    Service.equal(shown.replicationStrategy(), Rs.SINGLE_REGION);
  }

  private static Tag tag(String key, String value) {
    return Tag.builder().key(key).value(value).build();
  }

  private void regions() throws Exception {
    String name = KEYSPACE + "_regions";
    keyspaces.createKeyspace(request -> request.keyspaceName(name));
    Service.awaited(() -> found(name), true);
    keyspaces.updateKeyspace(request -> request
        .keyspaceName(name)
        .replicationSpecification(
            replication -> replication.replicationStrategy(Rs.MULTI_REGION).regionList(service.region(), "eu-west-1"))
        .clientSideTimestamps(timestamps -> timestamps.status(ClientSideTimestampsStatus.ENABLED)));
    Supplier<Object> statuses = () -> keyspaces.getKeyspace(request -> request.keyspaceName(name))
        .replicationGroupStatuses().stream()
        .map(group -> group.region() + " " + group.keyspaceStatusAsString())
        .sorted().toList();
    Service.awaited(statuses, List.of("eu-west-1 ACTIVE", service.region() + " ACTIVE").stream().sorted().toList());
    keyspaces.deleteKeyspace(request -> request.keyspaceName(name));
    Service.awaited(() -> found(name), false);
  }

  private void userType() throws Exception {
    var fields = List.of(
        FieldDefinition.builder().name("street").type("text").build(),
        FieldDefinition.builder().name("number").type("int").build());
    keyspaces.createType(request -> request.keyspaceName(KEYSPACE).typeName("address").fieldDefinitions(fields));
    Supplier<Object> status =
        () -> keyspaces.getType(request -> request.keyspaceName(KEYSPACE).typeName("address")).statusAsString();
    Service.awaited(status, "ACTIVE");
    var shown = keyspaces.getType(request -> request.keyspaceName(KEYSPACE).typeName("address"));
    Service.equal(shown.fieldDefinitions(), fields);
    Service.equal(keyspaces.listTypes(request -> request.keyspaceName(KEYSPACE)).types(), List.of("address"));
  }

  private GetTableResponse table(String name) {
    return keyspaces.getTable(request -> request.keyspaceName(KEYSPACE).tableName(name));
  }

  private String status(String table) {
    try {
      return table(table).statusAsString();
    } catch (ResourceNotFoundException error) {
      return "gone";
    }
  }

  private static final List<ColumnDefinition> COLUMNS = List.of(
      column("device_id", "text"), column("at", "timestamp"), column("payload", "map<text, text>"),
      column("label", "text"), column("home", "frozen<address>"));

  private static ColumnDefinition column(String name, String type) {
    return ColumnDefinition.builder().name(name).type(type).build();
  }

  private void create() throws Exception {
    var made = keyspaces.createTable(request -> request
        .keyspaceName(KEYSPACE)
        .tableName("events")
        .schemaDefinition(schema -> schema
            .allColumns(COLUMNS)
            .partitionKeys(key -> key.name("device_id"))
            .clusteringKeys(key -> key.name("at").orderBy(SortOrder.DESC))
            .staticColumns(column -> column.name("label")))
        .comment(comment -> comment.message("what devices send"))
        .capacitySpecification(capacity -> capacity
            .throughputMode(ThroughputMode.PROVISIONED).readCapacityUnits(5L).writeCapacityUnits(6L))
        .autoScalingSpecification(scaling -> scaling.readCapacityAutoScaling(read -> read
            .minimumUnits(5L)
            .maximumUnits(10L)
            .scalingPolicy(policy -> policy.targetTrackingScalingPolicyConfiguration(
                target -> target.targetValue(60.0).scaleOutCooldown(30)))))
        .pointInTimeRecovery(recovery -> recovery.status(PointInTimeRecoveryStatus.ENABLED))
        .clientSideTimestamps(timestamps -> timestamps.status(ClientSideTimestampsStatus.ENABLED))
        .defaultTimeToLive(86_400)
        .tags(tag("team", "shop")));
    Service.equal(made.resourceArn(), arn + "table/events");
    Service.awaited(() -> status("events"), "ACTIVE");
  }

  private void describe() {
    GetTableResponse shown = table("events");
    var schema = shown.schemaDefinition();
    Service.equal(sorted(schema.allColumns()), sorted(COLUMNS));
    Service.equal(schema.partitionKeys().stream().map(key -> key.name()).toList(), List.of("device_id"));
    Service.equal(schema.clusteringKeys().stream().map(key -> key.name() + " " + key.orderBy()).toList(), List.of("at DESC"));
    Service.equal(schema.staticColumns().stream().map(column -> column.name()).toList(), List.of("label"));
    Service.equal(shown.comment().message(), "what devices send");
    CapacitySpecificationSummary capacity = shown.capacitySpecification();
    Service.equal(capacity.throughputMode(), ThroughputMode.PROVISIONED);
    Service.equal(List.of(capacity.readCapacityUnits(), capacity.writeCapacityUnits()), List.of(5L, 6L));
    Service.equal(shown.pointInTimeRecovery().status(), PointInTimeRecoveryStatus.ENABLED);
    Service.equal(shown.ttl().status(), TimeToLiveStatus.ENABLED);
    Service.equal(shown.defaultTimeToLive(), 86_400);
    Service.equal(shown.clientSideTimestamps().status(), ClientSideTimestampsStatus.ENABLED);
    Service.equal(shown.encryptionSpecification().type(), EncryptionType.AWS_OWNED_KMS_KEY);
    long age = shown.creationTimestamp().until(Instant.now(), ChronoUnit.SECONDS);
    Service.equal(age >= 0 && age < 600, true);
    var scaling = keyspaces
        .getTableAutoScalingSettings(request -> request.keyspaceName(KEYSPACE).tableName("events"))
        .autoScalingSpecification().readCapacityAutoScaling();
    Service.equal(List.of(scaling.minimumUnits(), scaling.maximumUnits()), List.of(5L, 10L));
    Service.equal(scaling.scalingPolicy().targetTrackingScalingPolicyConfiguration().targetValue(), 60.0);
    var address = keyspaces.getType(request -> request.keyspaceName(KEYSPACE).typeName("address"));
    Service.equal(address.directReferringTables(), List.of("events"));
  }

  private static String sorted(List<ColumnDefinition> columns) {
    return columns.stream().map(column -> column.name() + " " + column.type()).sorted().collect(joining(", "));
  }

  private void tags() throws Exception {
    String table = arn + "table/events";
    Supplier<Object> pages = () -> keyspaces
        .listTagsForResourcePaginator(request -> request.resourceArn(table).maxResults(1)).stream()
        .map(page -> page.tags().stream().map(tag -> tag.key() + "=" + tag.value()).toList())
        .toList();
    keyspaces.tagResource(request -> request.resourceArn(table).tags(tag("stage", "test")));
    Service.awaited(pages, List.of(List.of("stage=test"), List.of("team=shop")));
    Service.awaited(() -> status("events"), "ACTIVE");
    keyspaces.untagResource(request -> request.resourceArn(table).tags(tag("team", "shop")));
    Service.awaited(pages, List.of(List.of("stage=test")));
    Service.awaited(() -> status("events"), "ACTIVE");
    var ofKeyspace = keyspaces.listTagsForResource(request -> request.resourceArn(arn));
    Service.equal(ofKeyspace.tags(), List.of(tag("team", "shop")));
  }

  private void alter() throws Exception {
    keyspaces.updateTable(request -> request
        .keyspaceName(KEYSPACE).tableName("events").addColumns(column -> column.name("severity").type("int")));
    // At first, the table is still ACTIVE and lacks the column.
    Supplier<Object> hasColumn = () -> table("events").schemaDefinition().allColumns().contains(column("severity", "int"));
    Service.awaited(hasColumn, true);
    Service.awaited(() -> status("events"), "ACTIVE");
    keyspaces.updateTable(request -> request
        .keyspaceName(KEYSPACE).tableName("events")
        .capacitySpecification(capacity -> capacity.throughputMode(ThroughputMode.PAY_PER_REQUEST)));
    Service.awaited(() -> status("events"), "ACTIVE");
    Service.equal(table("events").capacitySpecification().throughputMode(), ThroughputMode.PAY_PER_REQUEST);
  }

  private void restore() throws Exception {
    Instant earliest = table("events").pointInTimeRecovery().earliestRestorableTimestamp();
    Instant moment = earliest.truncatedTo(ChronoUnit.SECONDS).plusSeconds(1);
    Service.awaited(() -> Instant.now().isAfter(moment), true);
    Consumer<RestoreTableRequest.Builder> source = request -> request
        .sourceKeyspaceName(KEYSPACE).sourceTableName("events").targetKeyspaceName(KEYSPACE);
    var restored = keyspaces.restoreTable(request -> request
        .applyMutation(source)
        .targetTableName("restored")
        .restoreTimestamp(moment)
        .capacitySpecificationOverride(capacity -> capacity.throughputMode(ThroughputMode.PAY_PER_REQUEST))
        .pointInTimeRecoveryOverride(recovery -> recovery.status(PointInTimeRecoveryStatus.DISABLED))
        .tagsOverride(tag("of", "events")));
    Service.equal(restored.restoredTableARN(), arn + "table/restored");
    Service.awaited(() -> status("restored"), "ACTIVE");
    GetTableResponse shown = table("restored");
    Service.equal(shown.capacitySpecification().throughputMode(), ThroughputMode.PAY_PER_REQUEST);
    Service.equal(shown.pointInTimeRecovery().status(), PointInTimeRecoveryStatus.DISABLED);
    Service.refused(ValidationException.class, "cannot be restored", () -> keyspaces.restoreTable(request -> request
        .applyMutation(source)
        .targetTableName("too_early")
        .restoreTimestamp(Instant.parse("2026-02-10T15:30:00Z"))));
  }

  private static CreateTableRequest.Builder smallTable(String name) {
    return CreateTableRequest.builder()
        .keyspaceName(KEYSPACE)
        .tableName(name)
        .schemaDefinition(schema -> schema.allColumns(column("id", "text")).partitionKeys(key -> key.name("id")));
  }

  private void pages() throws Exception {
    List<String> small = List.of("t1", "t2", "t3");
    for (String name : small) {
      keyspaces.createTable(smallTable(name).build());
    }
    for (String name : small) {
      Service.awaited(() -> status(name), "ACTIVE");
    }
    var pages = keyspaces.listTablesPaginator(request -> request.keyspaceName(KEYSPACE).maxResults(2)).stream()
        .map(page -> page.tables().stream().map(TableSummary::tableName).toList())
        .toList();
    Service.equal(pages, List.of(List.of("events", "restored"), List.of("t1", "t2"), List.of("t3")));
    var names = keyspaces.listKeyspacesPaginator(request -> request.maxResults(1)).keyspaces().stream()
        .map(KeyspaceSummary::keyspaceName);
    Service.equal(names.filter(KEYSPACE::equals).count(), 1L);
  }

  private void validation() {
    Service.refused(ValidationException.class, "failed to satisfy constraint",
        () -> keyspaces.createTable(smallTable("two words").build()));
  }

  private void conflict() {
    Service.refused(ConflictException.class, "existing keyspace",
        () -> keyspaces.createKeyspace(request -> request.keyspaceName(KEYSPACE)));
  }

  private void notFound() {
    var error = Service.refused(ResourceNotFoundException.class, KEYSPACE + ".nosuch", () -> table("nosuch"));
    Service.equal(error.resourceArn(), arn + "table/nosuch");
  }

  private void quota() {
    var big = smallTable("big").capacitySpecification(capacity -> capacity
        .throughputMode(ThroughputMode.PROVISIONED).readCapacityUnits(40_001L).writeCapacityUnits(1L));
    Service.refused(ServiceQuotaExceededException.class, "40000 units", () -> keyspaces.createTable(big.build()));
  }

  private void accessDenied() throws Exception {
    Service.refused(AccessDeniedException.class, "not authorized to perform: cassandra:Select",
        listing(service.withWho("without_permissions")));
  }

  private void internal() throws Exception {
    KeyspacesClient broken = Service.of("KS_BROKEN").connect();
    var error = Service.refused(InternalServerException.class, "",
        () -> broken.createKeyspace(request -> request.keyspaceName(KEYSPACE)));
    Service.equal(error.statusCode(), 500);
  }

  private void delete() throws Exception {
    List<String> tables = List.of("events", "restored", "t1", "t2", "t3");
    for (String table : tables) {
      keyspaces.deleteTable(request -> request.keyspaceName(KEYSPACE).tableName(table));
    }
    for (String table : tables) {
      Service.awaited(() -> status(table), "gone");
    }
    keyspaces.deleteType(request -> request.keyspaceName(KEYSPACE).typeName("address"));
    Service.awaited(() -> keyspaces.listTypes(request -> request.keyspaceName(KEYSPACE)).types(), List.of());
    keyspaces.deleteKeyspace(request -> request.keyspaceName(KEYSPACE));
    Service.awaited(() -> found(KEYSPACE), false);
  }
}
