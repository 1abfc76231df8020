import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Properties;
import java.util.Scanner;
import java.util.TreeMap;

/** Reads one Base64 text a line and prints what java.util.Properties makes of each. */
public class LoadProperties {
    public static void main(String[] args) throws Exception {
        Base64.Encoder enc = Base64.getEncoder();
        Scanner in = new Scanner(System.in);
        while (in.hasNextLine()) {
            byte[] text = Base64.getDecoder().decode(in.nextLine());
            Properties props = new Properties();
            StringBuilder out = new StringBuilder();
            try {
                props.load(new StringReader(new String(text, StandardCharsets.UTF_8)));
                TreeMap<String, String> sorted = new TreeMap<>();
                for (String k : props.stringPropertyNames()) {
                    sorted.put(enc.encodeToString(k.getBytes(StandardCharsets.UTF_8)),
                        enc.encodeToString(props.getProperty(k).getBytes(StandardCharsets.UTF_8)));
                }
                sorted.forEach((k, v) -> out.append(k).append(':').append(v).append(' '));
            } catch (IllegalArgumentException e) {
                out.append(e.getMessage());
            }
            System.out.println(out.toString().trim());
        }
    }
}
