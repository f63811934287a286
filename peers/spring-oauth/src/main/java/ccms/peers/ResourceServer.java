package ccms.peers;

import java.security.Principal;
import java.util.Map;

import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.core.env.Environment;
import org.springframework.http.HttpMethod;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtDecoders;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.server.resource.introspection.SpringOpaqueTokenIntrospector;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

/**
 * An application of a firm that takes CCMS's tokens, in the three ways Spring
 * has: /issuer checks them as JWTs with what the issuer's metadata says, /keys
 * with the key set alone, /opaque asks CCMS about each.
 */
@SpringBootApplication
@RestController
public class ResourceServer {

  /** Answers who calls. A token of the scope cards:read may see "read". */
  @GetMapping("/{way}/{what}")
  Map<String, String> show(@PathVariable String way, @PathVariable String what, Principal caller) {
    return Map.of("name", caller.getName());
  }

  @Bean
  SecurityFilterChain byIssuer(HttpSecurity http, Environment env) throws Exception {
    return byJwt(http, "/issuer", JwtDecoders.fromIssuerLocation(env.getRequiredProperty("ccms.issuer")));
  }

  @Bean
  SecurityFilterChain byKeys(HttpSecurity http, Environment env) throws Exception {
    return byJwt(http, "/keys", NimbusJwtDecoder
        .withJwkSetUri(env.getRequiredProperty("ccms.issuer") + "/.well-known/jwks.json")
        .jwsAlgorithm(SignatureAlgorithm.ES256).build());
  }

  private static SecurityFilterChain byJwt(HttpSecurity http, String path, JwtDecoder decoder) throws Exception {
    return rights(http, path).oauth2ResourceServer(o -> o.jwt(j -> j.decoder(decoder))).build();
  }

  @Bean
  SecurityFilterChain opaque(HttpSecurity http, Environment env) throws Exception {
    var introspector = SpringOpaqueTokenIntrospector
        .withIntrospectionUri(env.getRequiredProperty("ccms.issuer") + "/oauth2/introspect")
        .clientId(env.getRequiredProperty("ccms.client"))
        .clientSecret(env.getRequiredProperty("ccms.secret")).build();
    return rights(http, "/opaque").oauth2ResourceServer(o -> o.opaqueToken(t -> t.introspector(introspector))).build();
  }

  private static HttpSecurity rights(HttpSecurity http, String path) throws Exception {
    return http.securityMatcher(path + "/**").authorizeHttpRequests(a -> a
        .requestMatchers(HttpMethod.GET, path + "/read").hasAuthority("SCOPE_cards:read")
        .anyRequest().hasAuthority("SCOPE_nobody:has"));
  }
}
