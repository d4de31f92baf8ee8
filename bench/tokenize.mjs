// Tokenizing all posts beside Hugging Face's tokenizers (Rust), one thread each, in turns; every id is compared first. Seconds are of
// processor time of the whole process, our JavaScript included: others on the machine disturb them less than those on the wall.
//   npm run bench -- tokenize [--rounds 9] [--times 20]     our side encodes all posts so many times a round
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Dataset, Tokenizer } from '../dist/index.js';
import { keep, machine, median, root, table } from './machine.mjs';
import { peerPython } from './peers/environment.mjs';
import { Turns } from './turns.mjs';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '9' }, times: { type: 'string', default: '20' } } });
const [rounds, times] = [Number(values.rounds), Number(values.times)];
const model = join(root, 'models', 'minilm-l6');

const texts = [];
for (const name of ['train.csv', 'eval.csv'])
	for await (const { text } of Dataset.fromCsv(join(root, 'examples', 'depression', name))) texts.push(text);
const megabytes = texts.reduce((total, text) => total + Buffer.byteLength(text), 0) / 1e6;

const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
const path = (name) => join(folder, name);
writeFileSync(path('texts.json'), JSON.stringify(texts));
writeFileSync(path('options.json'), JSON.stringify({ tokenizer: join(model, 'tokenizer.json'), texts: path('texts.json'), ids: path('ids') }));
const tokenizer = await Tokenizer.load(model);
const peer = new Turns(peerPython(), [join(root, 'bench', 'peers', 'rust_tokenizers.py'), path('options.json')]);

const ways = { distiltune: [], encode_batch: [], encode_batch_fast: [] };
let version;
let tokens;
try {
	({ version } = await peer.next());
	const { ids } = await tokenizer.encodeBatch(texts, { maxLength: 512 });
	const theirs = readFileSync(path('ids'));
	if (!Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).equals(theirs)) throw new Error('The ids differ');
	tokens = ids.length;
	for (let round = 0; round < rounds; round++) {
		const before = process.cpuUsage();
		for (let time = 0; time < times; time++) await tokenizer.encodeBatch(texts, { maxLength: 512 });
		const { user, system } = process.cpuUsage(before);
		ways.distiltune.push((user + system) / 1e6 / times);
		const { encode_batch, encode_batch_fast } = await peer.take(1);
		ways.encode_batch.push(encode_batch[0]);
		ways.encode_batch_fast.push(encode_batch_fast[0]);
	}
	await peer.end();
} finally {
	peer.kill();
	tokenizer.dispose();
	rmSync(folder, { recursive: true, force: true });
}

const { cpu, node, loadAverage } = machine();
console.log(
	`${texts.length} posts, ${megabytes.toFixed(2)} MB, ${tokens} tokens, all ids the same; ${cpu}, one thread, load ${loadAverage.toFixed(1)}`,
);
console.log(`Node ${node}, tokenizers ${version}; median of ${rounds}`);
const ratio = (name) => median(ways[name].map((seconds, round) => seconds / ways.distiltune[round]));
const rates = Object.fromEntries(Object.entries(ways).map(([name, seconds]) => [name, megabytes / median(seconds)]));
const row = ([name, rate]) => [
	name === 'distiltune' ? name : `tokenizers, ${name}`,
	rate.toFixed(1),
	name === 'distiltune' ? '' : `${ratio(name).toFixed(1)}x`,
];
console.log(table([['', 'MB/s', 'distiltune faster by'], ...Object.entries(rates).map(row)]));
const ratios = { encode_batch: ratio('encode_batch'), encode_batch_fast: ratio('encode_batch_fast') };
keep('tokenize', {
	texts: texts.length,
	megabytes,
	tokens,
	rounds,
	megabytesPerSecond: rates,
	ratios,
	seconds: ways,
	versions: { tokenizers: version },
});
