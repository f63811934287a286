# To be sourced: builds mongo-java-server where that is due, starts it on a free
# port, and ends it when the script ends. It leaves
#   pid        its process
#   address    its host and port
mongo_java=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$mongo_java/../../scripts/tools" mvn javac
if [ ! -d "$mongo_java/target/lib" ] || [ "$mongo_java/pom.xml" -nt "$mongo_java/target/mongo-java.jar" ] ||
  [ "$mongo_java/src/main/java/Main.java" -nt "$mongo_java/target/mongo-java.jar" ]; then
  (cd "$mongo_java" && mvn -q -B package)
fi

# One event loop: with more this server tears reads.
coproc server { exec java -Xmx1g -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dio.netty.eventLoopThreads=1 \
  -cp "$mongo_java/target/mongo-java.jar:$mongo_java/target/lib/*" Main 2>/dev/null; }
pid=$server_PID
trap 'kill "$pid" 2>/dev/null || true' EXIT
read -r _ _ address <&"${server[0]}"
