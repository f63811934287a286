import com.netflix.appinfo.ApplicationInfoManager;
import com.netflix.appinfo.InstanceInfo.InstanceStatus;
import java.util.Scanner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;

/**
 * A client that does what it is told line by line; see
 * internal/eureka/registry/client_peers_test.go.
 */
@Configuration
@EnableAutoConfiguration
public class Main {
    public static void main(String[] args) {
        ConfigurableApplicationContext context = SpringApplication.run(Main.class, args);
        DiscoveryClient discovery = context.getBean(DiscoveryClient.class);
        ApplicationInfoManager self = context.getBean(ApplicationInfoManager.class);
        Scanner in = new Scanner(System.in);
        while (in.hasNextLine()) {
            String[] words = in.nextLine().split(" ");
            switch (words[0]) {
                case "find" -> say(discovery.getInstances(words[1]).size());
                case "status" -> {
                    self.setInstanceStatus(InstanceStatus.valueOf(words[1]));
                    say("ok");
                }
                case "stop" -> {
                    context.close();
                    say("ok");
                    System.exit(0);
                }
                default -> say("cannot");
            }
        }
    }

    private static void say(Object text) {
        System.out.println("answer: " + text);
    }
}
