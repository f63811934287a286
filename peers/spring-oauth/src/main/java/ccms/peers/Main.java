package ccms.peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import org.springframework.boot.SpringApplication;
import org.springframework.http.MediaType;
import org.springframework.security.oauth2.client.AuthorizedClientServiceOAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.ClientAuthorizationException;
import org.springframework.security.oauth2.client.ClientCredentialsOAuth2AuthorizedClientProvider;
import org.springframework.security.oauth2.client.InMemoryOAuth2AuthorizedClientService;
import org.springframework.security.oauth2.client.OAuth2AuthorizeRequest;
import org.springframework.security.oauth2.client.endpoint.NimbusJwtClientAuthenticationParametersConverter;
import org.springframework.security.oauth2.client.endpoint.OAuth2ClientCredentialsGrantRequest;
import org.springframework.security.oauth2.client.endpoint.RestClientClientCredentialsTokenResponseClient;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrations;
import org.springframework.security.oauth2.client.registration.InMemoryClientRegistrationRepository;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.core.OAuth2AccessToken;
import org.springframework.web.client.RestClient;

/** Tests of the OAuth 2.0 endpoints of a running CCMS; exits 0 when all is well. */
public class Main {
  private final Path data = Path.of(System.getenv("DATA"));
  private final JsonNode demo = read(data.resolve("demo-firm.json"));
  private final String issuer = read(data.resolve("run.json")).get("portal").asText();
  private final RestClient http = RestClient.create();
  private String app; // URL of the resource server

  public static void main(String[] args) throws Exception {
    new Main().run();
  }

  private void run() throws Exception {
    var spring = new SpringApplication(ResourceServer.class);
    try (var context = spring.run("--server.port=0", "--server.address=127.0.0.1", "--spring.main.banner-mode=off",
        "--logging.level.root=WARN", "--ccms.issuer=" + issuer,
        "--ccms.client=" + demo.get("client_id").asText(), "--ccms.secret=" + demo.get("client_secret").asText())) {
      app = "http://127.0.0.1:" + context.getEnvironment().getProperty("local.server.port");
      secretsAreTaken();
      privateKeysAreTaken();
      errorsAreUnderstood();
      resourceServerChecks();
    }
    System.out.println("spring-oauth: passed");
  }

  private void secretsAreTaken() throws Exception {
    for (var method : List.of(ClientAuthenticationMethod.CLIENT_SECRET_BASIC, ClientAuthenticationMethod.CLIENT_SECRET_POST)) {
      var token = fetch(registration(method).build(), null, false);
      equal(method.getValue(), token.getScopes(), Set.of("cards:read", "reports:read"));
      equal("type", token.getTokenType(), OAuth2AccessToken.TokenType.BEARER);
    }
  }

  private void privateKeysAreTaken() throws Exception {
    var ec = new ECKeyGenerator(Curve.P_256).keyID("k1").keyUse(KeyUse.SIGNATURE).algorithm(JWSAlgorithm.ES256).generate();
    var rsa = new RSAKeyGenerator(2048).keyID("k1").keyUse(KeyUse.SIGNATURE).algorithm(JWSAlgorithm.RS256).generate();
    for (JWK key : List.of(ec, rsa)) {
      var prover = prover(key);
      equal(key.getAlgorithm().getName(), fetch(prover, key, true).getScopes(), Set.of("cards:read", "reports:read"));
      equal("a second assertion", fetch(prover, key, true).getScopes().size(), 2);
      equal("the token URL as audience", refusal(prover, key, false), "invalid_client");
    }
    equal("another key", refusal(prover(ec), new ECKeyGenerator(Curve.P_256).keyID("k1").generate(), true), "invalid_client");
  }

  private void errorsAreUnderstood() throws Exception {
    var basic = ClientAuthenticationMethod.CLIENT_SECRET_BASIC;
    equal("a wrong secret", refusal(registration(basic).clientSecret("wrong").build(), null, false), "invalid_client");
    equal("a scope of nobody", refusal(registration(basic).scope("nonsense").build(), null, false), "invalid_scope");
  }

  private void resourceServerChecks() throws Exception {
    var token = fetch(registration(ClientAuthenticationMethod.CLIENT_SECRET_BASIC).build(), null, false).getTokenValue();
    var client = demo.get("client_id").asText();
    var changed = token.substring(0, token.length() - 6) + "AAAAAA";
    for (var way : List.of("issuer", "keys", "opaque")) {
      equal(way, get(way + "/read", token), "200 " + client);
      equal(way + ", a scope it has not", get(way + "/write", token), "403");
      equal(way + ", no token", get(way + "/read", null), "401");
      equal(way + ", a changed token", get(way + "/read", changed), "401");
    }
    var other = command("firm", "create", "--name", "Other");
    var foreign = fetch(registration(ClientAuthenticationMethod.CLIENT_SECRET_BASIC)
        .clientId(other.get("client_id").asText()).clientSecret(other.get("client_secret").asText()).build(), null, false).getTokenValue();
    equal("another firm's token", get("opaque/read", foreign), "401");

    http.post().uri(issuer + "/oauth2/revoke")
        .headers(h -> h.setBasicAuth(client, demo.get("client_secret").asText()))
        .contentType(MediaType.APPLICATION_FORM_URLENCODED).body("token=" + token).retrieve().toBodilessEntity();
    for (var deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(1200); !get("opaque/read", token).equals("401");) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("a revoked token still works after a second");
      }
    }
  }

  /** A registration made from the issuer's metadata alone. */
  private ClientRegistration.Builder registration(ClientAuthenticationMethod method) {
    return ClientRegistrations.fromIssuerLocation(issuer)
        .registrationId("ccms").clientId(demo.get("client_id").asText()).clientSecret(demo.get("client_secret").asText())
        .clientAuthenticationMethod(method).authorizationGrantType(AuthorizationGrantType.CLIENT_CREDENTIALS)
        .scope("cards:read", "reports:read");
  }

  /** A new client of the demo firm that authenticates with a key. */
  private ClientRegistration prover(JWK key) throws Exception {
    var file = Files.writeString(data.resolveSibling("keys.json"), new JWKSet(key.toPublicJWK()).toString());
    var made = command("client", "create", "--firm", demo.get("firm_id").asText(), "--keys", file.toString());
    return registration(ClientAuthenticationMethod.PRIVATE_KEY_JWT).clientId(made.get("client_id").asText()).clientSecret("").build();
  }

  /** Gets a token; key signs the assertion, addressed to the issuer or, as Spring does by itself, to the token URL. */
  private OAuth2AccessToken fetch(ClientRegistration registration, JWK key, boolean toIssuer) {
    var assertions = new NimbusJwtClientAuthenticationParametersConverter<OAuth2ClientCredentialsGrantRequest>(r -> key);
    if (toIssuer) {
      assertions.setJwtClientAssertionCustomizer(c -> c.getClaims().audience(List.of(issuer)));
    }
    var tokens = new RestClientClientCredentialsTokenResponseClient();
    tokens.addParametersConverter(assertions);
    var provider = new ClientCredentialsOAuth2AuthorizedClientProvider();
    provider.setAccessTokenResponseClient(tokens);
    var registrations = new InMemoryClientRegistrationRepository(registration);
    var manager = new AuthorizedClientServiceOAuth2AuthorizedClientManager(registrations, new InMemoryOAuth2AuthorizedClientService(registrations));
    manager.setAuthorizedClientProvider(provider);
    return manager.authorize(OAuth2AuthorizeRequest.withClientRegistrationId("ccms").principal("test").build()).getAccessToken();
  }

  /** The error code with which a token is refused. Spring reads it from answers of 400 alone and quotes the body of others. */
  private String refusal(ClientRegistration registration, JWK key, boolean toIssuer) {
    try {
      fetch(registration, key, toIssuer);
      return "none";
    } catch (ClientAuthorizationException e) {
      var quoted = Pattern.compile("\"error\":\"(\\w+)\"").matcher(String.valueOf(e.getError().getDescription()));
      return quoted.find() ? quoted.group(1) : e.getError().getErrorCode();
    }
  }

  /** The status of a call of the resource server, and who it took the caller for. */
  private String get(String path, String token) {
    return http.get().uri(app + "/" + path).headers(h -> {
      if (token != null) {
        h.setBearerAuth(token);
      }
    }).exchange((request, response) -> {
      var status = String.valueOf(response.getStatusCode().value());
      return status.equals("200") ? status + " " + response.bodyTo(Map.class).get("name") : status;
    });
  }

  /** Runs a command of ccms beside the server. */
  private JsonNode command(String... words) throws Exception {
    var all = new ArrayList<>(List.of(System.getenv("CCMS")));
    all.addAll(List.of(words));
    all.addAll(List.of("--data", data.toString(), "-o", "json"));
    var process = new ProcessBuilder(all).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    var answer = new ObjectMapper().readTree(process.getInputStream());
    equal(String.join(" ", words), process.waitFor(), 0);
    return answer;
  }

  private static JsonNode read(Path file) {
    try {
      return new ObjectMapper().readTree(file.toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void equal(String what, Object got, Object want) {
    if (!want.equals(got)) {
      throw new AssertionError(what + ": got " + got + ", want " + want);
    }
  }
}
