import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;

/**
 * Runs mongo-java-server in memory on a loopback port, the one given or a free
 * one. It prints "listening on HOST:PORT" and ends when its standard input is
 * closed or on SIGTERM; everything stored is then gone.
 */
public final class Main {
    /** The server's own versions announce wire version 8, which drivers refuse. */
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

    public static void main(String[] args) throws IOException {
        int port = args.length > 0 ? Integer.parseInt(args[0]) : 0;
        MongoServer server = new MongoServer(new MemoryBackend().version(VERSION));
        server.bind(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        InetSocketAddress at = server.getLocalAddress();
        System.out.printf("listening on %s:%d%n", at.getAddress().getHostAddress(), at.getPort());
        while (System.in.read() >= 0) {
            // Whoever started us is still there.
        }
        System.exit(0);
    }

    private Main() {
    }
}
