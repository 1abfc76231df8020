import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;

/**
 * "read FILE..." prints the entries of each file as sorted lines of hexadecimal
 * key and value; "write FILE..." writes such lines from standard input. A line "="
 * ends a file's. "-" is null, "." an empty array, "*" always the same array.
 */
public class OffsetFile {
    static final byte[] SHARED = {1, 2};

    public static void main(String[] args) throws Exception {
        Scanner in = new Scanner(System.in);
        for (int i = 1; i < args.length; i++) {
            if (args[0].equals("read")) {
                read(Path.of(args[i]));
            } else {
                write(Path.of(args[i]), in);
            }
        }
    }

    static void read(Path path) throws Exception {
        try (ObjectInputStream in = new ObjectInputStream(Files.newInputStream(path))) {
            Object o = in.readObject();
            if (o.getClass() != HashMap.class) {
                throw new IllegalStateException("found " + o.getClass());
            }
            @SuppressWarnings("unchecked")
            Map<byte[], byte[]> map = (Map<byte[], byte[]>) o;
            List<String> lines = new ArrayList<>();
            map.forEach((k, v) -> lines.add(hex(k) + " " + hex(v)));
            Collections.sort(lines);
            lines.forEach(System.out::println);
            System.out.println("=");
            if (in.read() != -1) {
                throw new IllegalStateException("bytes after the map");
            }
        }
    }

    static void write(Path path, Scanner in) throws Exception {
        Map<byte[], byte[]> map = new HashMap<>();
        for (String key = in.next(); !key.equals("="); key = in.next()) {
            map.put(bytes(key), bytes(in.next()));
        }
        try (ObjectOutputStream out = new ObjectOutputStream(Files.newOutputStream(path))) {
            out.writeObject(map);
        }
    }

    static String hex(byte[] b) {
        if (b == null) {
            return "-";
        }
        StringBuilder s = new StringBuilder();
        for (byte x : b) {
            s.append(String.format("%02x", x));
        }
        return s.length() == 0 ? "." : s.toString();
    }

    static byte[] bytes(String s) {
        if (s.equals("-")) {
            return null;
        }
        if (s.equals(".")) {
            return new byte[0];
        }
        if (s.equals("*")) {
            return SHARED;
        }
        byte[] b = new byte[s.length() / 2];
        for (int i = 0; i < b.length; i++) {
            b[i] = (byte) Integer.parseInt(s.substring(2 * i, 2 * i + 2), 16);
        }
        return b;
    }
}
