import java.nio.charset.StandardCharsets;
import java.text.ParsePosition;
import java.text.SimpleDateFormat;
import java.util.Base64;
import java.util.Date;
import java.util.Locale;
import java.util.Scanner;
import java.util.TimeZone;

/**
 * Reads lines of a pattern, an instant and a text (pattern and text as Base64) and prints, for each, the instant as the
 * pattern formats it (Base64) and the instant that it reads from the text, or the message of the pattern's exception.
 */
public class SimpleDates {
    public static void main(String[] args) {
        Base64.Decoder dec = Base64.getDecoder();
        Base64.Encoder enc = Base64.getEncoder();
        Scanner in = new Scanner(System.in);
        StringBuilder out = new StringBuilder();
        while (in.hasNextLine()) {
            String[] line = in.nextLine().split(",", -1);
            String pattern = new String(dec.decode(line[0]), StandardCharsets.UTF_8);
            String text = new String(dec.decode(line[2]), StandardCharsets.UTF_8);
            try {
                SimpleDateFormat f = new SimpleDateFormat(pattern, Locale.US);
                f.setTimeZone(TimeZone.getTimeZone("UTC"));
                String formatted = f.format(new Date(Long.parseLong(line[1])));
                Date parsed = f.parse(text, new ParsePosition(0));
                out.append(enc.encodeToString(formatted.getBytes(StandardCharsets.UTF_8))).append(' ')
                    .append(parsed == null ? "none" : Long.toString(parsed.getTime()));
            } catch (IllegalArgumentException e) {
                out.append(e.getMessage());
            }
            out.append('\n');
        }
        System.out.print(out);
    }
}
