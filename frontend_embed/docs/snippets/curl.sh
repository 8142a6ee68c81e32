mkdir -p tests/scrip && cd tests/scrip
for file in testing.js testing_server.js embed.js types/testing.d.ts types/testing_server.d.ts; do
  curl -fsSO "https://credits.example.com/embed/{{version}}/$file"
done
