import java.io.FileInputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Objects;
import java.util.function.Supplier;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.protocols.jsoncore.JsonNode;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.keyspaces.KeyspacesClient;
import software.amazon.awssdk.services.keyspaces.model.KeyspacesException;

/** The local Keyspaces that a ready file describes, and helpers to await a state. */
record Service(JsonNode ready, String who, String accessKey, String secretKey, String region, String ca) {
  static Service of(String variable) throws IOException {
    JsonNode ready = JsonNode.parser().parse(Files.readString(Path.of(System.getenv(variable))));
    return new Service(ready, "credentials", null, null, text(ready, "region"), text(ready, "ca"));
  }

  private static String text(JsonNode node, String member) {
    return node.field(member).orElseThrow().asString();
  }

  Service withWho(String who) {
    return new Service(ready, who, accessKey, secretKey, region, ca);
  }

  Service withKey(String accessKey, String secretKey) {
    return new Service(ready, who, accessKey, secretKey, region, ca);
  }

  Service withRegion(String region) {
    return new Service(ready, who, accessKey, secretKey, region, ca);
  }

  Service withCa(String ca) {
    return new Service(ready, who, accessKey, secretKey, region, ca);
  }

  KeyspacesClient connect() throws IOException, GeneralSecurityException {
    JsonNode key = ready.field(who).orElseThrow();
    AwsBasicCredentials credentials = AwsBasicCredentials.create(
        accessKey == null ? text(key, "access_key") : accessKey, secretKey == null ? text(key, "secret_key") : secretKey);
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (FileInputStream file = new FileInputStream(ca)) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    return KeyspacesClient.builder()
        .endpointOverride(URI.create(text(ready, "control_plane")))
        .region(Region.of(region))
        .credentialsProvider(StaticCredentialsProvider.create(credentials))
        .httpClientBuilder(UrlConnectionHttpClient.builder().tlsTrustManagersProvider(trust::getTrustManagers))
        .build();
  }

  static void equal(Object found, Object wanted) {
    if (!Objects.equals(found, wanted)) {
      throw new AssertionError("it is " + found + ", not " + wanted);
    }
  }

  static void awaited(Supplier<Object> ask, Object wanted) throws InterruptedException {
    long end = System.nanoTime() + 60_000_000_000L;
    for (Object seen = ask.get(); !seen.equals(wanted); seen = ask.get()) {
      if (System.nanoTime() > end) {
        throw new AssertionError(seen + " instead of " + wanted + " after 60 s");
      }
      Thread.sleep(200);
    }
  }

  /** Returns the error after checking its code and message. */
  static KeyspacesException refused(String code, String text, Supplier<Object> call) {
    try {
      call.get();
    } catch (KeyspacesException error) {
      equal(error.awsErrorDetails().errorCode(), code);
      if (!error.awsErrorDetails().errorMessage().contains(text)) {
        throw new AssertionError(text + " is not in " + error);
      }
      return error;
    }
    throw new AssertionError("no " + code);
  }

  /** As {@link #refused}. Each error of the service model has its own class, which is named like the code. */
  static <E extends KeyspacesException> E refused(Class<E> type, String text, Supplier<Object> call) {
    return type.cast(refused(type.getSimpleName(), text, call));
  }
}
