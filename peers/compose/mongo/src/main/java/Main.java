import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Stands in for mongod of MongoDB's image where that cannot be had. The member
 * that is given a root user keeps all documents, and answers for every member:
 * the others pass bytes to it. Nothing is replicated; TLS, key file, users, SCRAM
 * and which member takes writes are as they would be. An option it does not
 * know, or a file mongod would refuse, ends it.
 */
public final class Main {
    /** As in peers/mongo-java: the server's own versions are refused by drivers. */
    private static final MongoVersion VERSION = new MongoVersion() {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 13;
        }
    };
    private static final Set<String> VALUES = Set.of("--replSet", "--keyFile", "--tlsMode", "--tlsCertificateKeyFile",
        "--tlsCAFile", "--wiredTigerCacheSizeGB");
    private static final Set<String> SWITCHES = Set.of("--bind_ip_all", "--tlsAllowConnectionsWithoutCertificates");
    private static final int MEMBERS = 3;
    private static final int PORT = 27017;

    public static void main(String[] args) throws Exception {
        Map<String, String> options = options(args);
        checkKeyFile(Path.of(options.get("--keyFile")));
        if (!options.get("--tlsMode").equals("requireTLS")) {
            throw new IllegalArgumentException("--tlsMode " + options.get("--tlsMode"));
        }
        certificates(Files.readString(Path.of(options.get("--tlsCAFile"))));
        if (System.getenv("MONGO_INITDB_ROOT_USERNAME") == null) {
            pass(ownNumber());
        } else {
            keep(options, Files.readString(Path.of(options.get("--tlsCertificateKeyFile"))));
        }
    }

    private static Map<String, String> options(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (int i = 1; i < args.length; i++) { // the first is mongod
            if (VALUES.contains(args[i])) {
                options.put(args[i], args[++i]);
            } else if (!SWITCHES.contains(args[i])) {
                throw new IllegalArgumentException("unknown option " + args[i]);
            }
        }
        return options;
    }

    /** mongod refuses a key file that others may read, or that is not base64 of 6 to 1024 characters. */
    private static void checkKeyFile(Path file) throws IOException {
        Set<PosixFilePermission> mine = EnumSet.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE);
        String key = Files.readString(file).replaceAll("\\s", "");
        if (!mine.containsAll(Files.getPosixFilePermissions(file)) || !key.matches("[A-Za-z0-9+/=]{6,1024}")) {
            throw new IllegalArgumentException("bad key file");
        }
    }

    private static List<X509Certificate> certificates(String pem) throws Exception {
        List<X509Certificate> chain = new ArrayList<>();
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        int at = pem.indexOf("-----BEGIN CERTIFICATE");
        while (at >= 0) {
            chain.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(pem.substring(at).getBytes())));
            at = pem.indexOf("-----BEGIN CERTIFICATE", at + 1);
        }
        return chain;
    }

    private static PrivateKey privateKey(String pem) throws Exception {
        String body = pem.split("-----BEGIN PRIVATE KEY-----")[1].split("-----END")[0];
        return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(body)));
    }

    private static void keep(Map<String, String> options, String both) throws Exception {
        H2Backend store = new H2Backend("/data/db/standin");
        store.version(VERSION);
        Users users = new Users(store.getMvStore());
        users.addRoot(System.getenv("MONGO_INITDB_ROOT_USERNAME"),
            Files.readString(Path.of(System.getenv("MONGO_INITDB_ROOT_PASSWORD_FILE"))));
        ReplicaSet set = new ReplicaSet(store.getMvStore(), options.get("--replSet"));
        X509Certificate[] chain = certificates(both).toArray(X509Certificate[]::new);
        for (int i = 1; i <= MEMBERS; i++) {
            MongoServer server = new MongoServer(new Member("mongo-" + i + ":" + PORT, store, users, set));
            server.enableSsl(privateKey(both), null, chain);
            server.bind(new InetSocketAddress(PORT + i - 1));
        }
        Runtime.getRuntime().addShutdownHook(new Thread(store::close));
        System.out.println("mongod's stand-in: " + set);
        Thread.currentThread().join();
    }

    private static int ownNumber() throws IOException {
        for (int i = 2; i <= MEMBERS; i++) {
            try (ServerSocket mine = new ServerSocket(0, 1, InetAddress.getByName("mongo-" + i))) {
                return i;
            } catch (IOException other) {
                // that name is another machine's
            }
        }
        throw new IOException("this machine is none of the members");
    }

    private static void pass(int number) throws IOException {
        ServerSocket door = new ServerSocket(PORT);
        System.out.println("mongod's stand-in: member " + number + " passes on");
        while (true) {
            Socket in = door.accept();
            Socket out = new Socket();
            try {
                out.connect(new InetSocketAddress("mongo-1", PORT + number - 1), 1000);
            } catch (IOException away) {
                in.close();
                continue;
            }
            flow(in, out);
            flow(out, in);
        }
    }

    private static void flow(Socket from, Socket to) {
        Thread t = new Thread(() -> {
            try (from; to) {
                from.getInputStream().transferTo(to.getOutputStream());
            } catch (IOException closed) {
                // the other direction ended it
            }
        });
        t.setDaemon(true);
        t.start();
    }

    private Main() {
    }
}
