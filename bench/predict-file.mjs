// Memory and rate of `distiltune predict --input FILE --output FILE` on a large file of real posts, with a tiny model: does memory stay where it is?
//   npm run bench -- predict-file [--megabytes 200] [--format csv|jsonl|txt] [--max-length 128]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Dataset } from '../dist/index.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
	options: {
		megabytes: { type: 'string', default: '200' },
		format: { type: 'string', default: 'csv' },
		'max-length': { type: 'string', default: '128' },
	},
});
const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
const input = join(folder, `posts.${values.format}`);

/** Posts, over and over, until there are so many bytes; each a line. */
async function* content() {
	const posts = [];
	for await (const { text } of Dataset.from(join(root, 'examples', 'depression', 'train.csv'))) posts.push(text.replace(/\s+/g, ' '));
	const lineOf = {
		csv: (text) => `"${text.replaceAll('"', '""')}"\n`,
		jsonl: (text) => `${JSON.stringify({ text })}\n`,
		txt: (text) => `${text}\n`,
	}[values.format];
	const all = Buffer.from(posts.map(lineOf).join(''));
	if (values.format === 'csv') yield 'text\n';
	for (let left = Number(values.megabytes) * 1e6; left > 0; left -= all.length) yield all;
}

try {
	await pipeline(content, createWriteStream(input));
	const args = ['predict', join(root, 'test', 'fixtures', 'tiny-model'), '--input', input, '--output', join(folder, 'answers.jsonl')];
	const started = performance.now();
	const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args, '--max-length', values['max-length']], {
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	const samples = [];
	const watching = setInterval(() => {
		try {
			samples.push(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024);
		} catch {} // it has just ended
	}, 100);
	let told = '';
	child.stderr.on('data', (data) => {
		told = data.toString();
	});
	const [code] = await once(child, 'exit');
	clearInterval(watching);
	if (code !== 0) throw new Error(told);
	const seconds = (performance.now() - started) / 1000;
	const rows = Number(/^(\d+) rows/.exec(told.split('\n').filter(Boolean).at(-1))?.[1] ?? 0);
	const peaks = [0, 1, 2, 3].map((quarter) => {
		const part = samples.slice((quarter * samples.length) / 4, ((quarter + 1) * samples.length) / 4);
		return Math.max(...part).toFixed(0);
	});
	console.log(`${cpus()[0].model} x ${cpus().length}, Node ${process.version}, load ${loadavg()[0].toFixed(1)}`);
	console.log(
		`${(statSync(input).size / 1e6).toFixed(0)} MB of ${values.format} in ${seconds.toFixed(0)} s, about ${(rows / seconds).toFixed(0)} rows/s`,
	);
	console.log(`peak resident MB by quarter of the run: ${peaks.join(', ')}`);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
