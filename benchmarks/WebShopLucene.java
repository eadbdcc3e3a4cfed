// Ranks documents with the real Lucene, as WebShop's index was searched: English analysis, BM25 with k1 0.9 and b 0.4,
// equal scores by id. Run by webshop_lucene.py; reads docs.txt and queries.txt, writes terms.txt and hits.txt.
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.SortedDocValuesField;
import org.apache.lucene.document.StringField;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.BoostQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.Sort;
import org.apache.lucene.search.SortField;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.search.similarities.BM25Similarity;
import org.apache.lucene.store.ByteBuffersDirectory;
import org.apache.lucene.store.Directory;
import org.apache.lucene.util.BytesRef;

public class WebShopLucene {
    public static void main(String[] arguments) throws Exception {
        Analyzer analyzer = new EnglishAnalyzer();
        BM25Similarity similarity = new BM25Similarity(0.9f, 0.4f);
        Directory directory = new ByteBuffersDirectory();
        IndexWriterConfig config = new IndexWriterConfig(analyzer).setSimilarity(similarity);
        try (IndexWriter writer = new IndexWriter(directory, config);
                PrintWriter terms = new PrintWriter("terms.txt", StandardCharsets.UTF_8)) {
            for (String line : Files.readAllLines(Paths.get("docs.txt"))) {
                String[] parts = line.split("\t", -1);
                String text = decoded(parts[1]);
                Document document = new Document();
                document.add(new StringField("id", parts[0], Field.Store.YES));
                document.add(new SortedDocValuesField("id", new BytesRef(parts[0])));
                document.add(new TextField("text", text, Field.Store.NO));
                writer.addDocument(document);
                terms.println(String.join("\u0001", terms(analyzer, text)));
            }
            writer.forceMerge(1);
        }
        IndexSearcher searcher = new IndexSearcher(DirectoryReader.open(directory));
        searcher.setSimilarity(similarity);
        Sort order = new Sort(SortField.FIELD_SCORE, new SortField("id", SortField.Type.STRING_VAL));
        try (PrintWriter hits = new PrintWriter("hits.txt", StandardCharsets.UTF_8)) {
            for (String line : Files.readAllLines(Paths.get("queries.txt"))) {
                List<String> found = new ArrayList<>();
                for (ScoreDoc hit : searcher.search(query(analyzer, decoded(line)), 50, order, true).scoreDocs) {
                    found.add(searcher.doc(hit.doc).get("id"));
                }
                hits.println(String.join(" ", found));
            }
        }
    }

    static BooleanQuery query(Analyzer analyzer, String text) throws Exception {
        Map<String, Integer> counts = new LinkedHashMap<>();
        for (String term : terms(analyzer, text)) {
            counts.merge(term, 1, Integer::sum);
        }
        BooleanQuery.Builder builder = new BooleanQuery.Builder();
        for (Map.Entry<String, Integer> entry : counts.entrySet()) {
            TermQuery term = new TermQuery(new Term("text", entry.getKey()));
            builder.add(new BoostQuery(term, entry.getValue()), BooleanClause.Occur.SHOULD);
        }
        return builder.build();
    }

    static List<String> terms(Analyzer analyzer, String text) throws Exception {
        List<String> found = new ArrayList<>();
        try (TokenStream stream = analyzer.tokenStream("text", text)) {
            CharTermAttribute term = stream.addAttribute(CharTermAttribute.class);
            stream.reset();
            while (stream.incrementToken()) {
                found.add(term.toString());
            }
            stream.end();
        }
        return found;
    }

    static String decoded(String line) {
        return new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8);
    }
}
