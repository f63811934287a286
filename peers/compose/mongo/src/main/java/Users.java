import de.bwaldvogel.mongo.bson.BinData;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.MongoServerError;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

import javax.crypto.Mac;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The users and their logins by SCRAM-SHA-256 (RFC 5802, RFC 7677), as a server keeps them. */
final class Users {
    /** The least drivers accept. */
    private static final int ITERATIONS = 4096;
    private final MVMap<String, String> kept; // DATABASE.USER: salt, stored key, server key
    private final SecureRandom random = new SecureRandom();

    Users(MVStore store) {
        kept = store.openMap("standin.users");
    }

    void addRoot(String user, String password) throws GeneralSecurityException {
        if (kept.isEmpty()) {
            add("admin." + user, password);
        }
    }

    void add(String name, String password) throws GeneralSecurityException {
        if (kept.containsKey(name)) {
            throw new MongoServerError(51003, "Location51003", "User \"" + name + "\" already exists");
        }
        byte[] salt = new byte[28];
        random.nextBytes(salt);
        byte[] salted = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")
            .generateSecret(new PBEKeySpec(password.toCharArray(), salt, ITERATIONS, 256)).getEncoded();
        byte[] stored = MessageDigest.getInstance("SHA-256").digest(hmac(salted, "Client Key"));
        kept.put(name, base64(salt) + " " + base64(stored) + " " + base64(hmac(salted, "Server Key")));
    }

    boolean has(String name) {
        return kept.containsKey(name);
    }

    /** One login under way; answers what the client says, step by step. */
    final class Login {
        private final String database;
        private final boolean short_;
        private final String nonce;
        private final String first;
        private final String name;
        private final String[] secrets;
        boolean done;

        Login(String database, Document start) {
            this.database = database;
            if (!"SCRAM-SHA-256".equals(start.get("mechanism"))) {
                throw refused();
            }
            String bare = text(start).replaceFirst("^n,[^,]*,", "");
            Map<String, String> fields = fields(bare);
            byte[] own = new byte[18];
            random.nextBytes(own);
            name = database + "." + fields.get("n");
            nonce = fields.get("r") + base64(own);
            if (!has(name)) {
                throw refused();
            }
            secrets = kept.get(name).split(" ");
            first = bare + ",r=" + nonce + ",s=" + secrets[0] + ",i=" + ITERATIONS;
            short_ = start.get("options") instanceof Document o && Boolean.TRUE.equals(o.get("skipEmptyExchange"));
        }

        String name() {
            return name;
        }

        Document challenge() {
            return reply(first.substring(first.indexOf(",r=" + nonce) + 1), false);
        }

        Document proof(Document next) throws GeneralSecurityException {
            String said = text(next);
            if (done) {
                return reply("", true);
            }
            Map<String, String> fields = fields(said);
            byte[] stored = Base64.getDecoder().decode(secrets[1]);
            String message = first + "," + said.substring(0, said.indexOf(",p="));
            byte[] key = hmac(stored, message);
            byte[] proof = Base64.getDecoder().decode(fields.get("p"));
            for (int i = 0; i < key.length; i++) {
                key[i] ^= proof[i];
            }
            if (!MessageDigest.isEqual(MessageDigest.getInstance("SHA-256").digest(key), stored) || !nonce.equals(fields.get("r"))) {
                throw refused();
            }
            done = true;
            return reply("v=" + base64(hmac(Base64.getDecoder().decode(secrets[2]), message)), short_);
        }

        private Document reply(String payload, boolean last) {
            return new Document("conversationId", 1).append("done", last)
                .append("payload", new BinData(payload.getBytes(StandardCharsets.UTF_8))).append("ok", 1.0);
        }
    }

    private static MongoServerError refused() {
        return new MongoServerError(18, "AuthenticationFailed", "Authentication failed.");
    }

    private static String text(Document step) {
        return new String(((BinData) step.get("payload")).getData(), StandardCharsets.UTF_8);
    }

    private static Map<String, String> fields(String message) {
        Map<String, String> fields = new HashMap<>();
        for (String field : List.of(message.split(","))) {
            fields.put(field.substring(0, 1), field.substring(2));
        }
        return fields;
    }

    private static byte[] hmac(byte[] key, String text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String base64(byte[] b) {
        return Base64.getEncoder().encodeToString(b);
    }
}
