// Whether memory grows with the file: trains a model of three narrow layers on files of ever more gigabytes, each twice in a process of
// its own: tokenizing, then on the tokens that were kept. Needs twice the largest file on the disk; leaves nothing.
//   npm run bench -- stream csv 0.2 1 5
//   npm run bench -- stream jsonl 5
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const STEPS = 300;
const WORDS = 'i feel the sad happy day night sleep friend work alone and so much of it we lost time again good bad never'.split(' ');

/** Posts of 1 to 127 words, 60 on average; a different sequence for every row. */
function writeRows(path, bytes) {
	const csv = path.endsWith('.csv');
	const file = openSync(path, 'w');
	let written = csv ? writeSync(file, 'text,label\n') : 0;
	let state = 1;
	const next = (below) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
		return Math.floor((state / 2 ** 32) * below);
	};
	while (written < bytes) {
		let lines = '';
		while (lines.length < 2 ** 20) {
			const words = Array.from({ length: 1 + next(127) }, () => WORDS[next(WORDS.length)]);
			const [text, label] = [words.join(' '), next(3)];
			lines += csv ? `${text},${label}\n` : `{"text":"${text}","label":${label}}\n`;
		}
		written += writeSync(file, lines);
	}
	closeSync(file);
}

async function train(path) {
	const { Trainer } = await import('../dist/index.js');
	const peak = () => Math.round((process.resourceUsage().maxRSS * 1024) / 1e6);
	const outputDir = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
	const trainer = new Trainer({
		model: join(root, 'test', 'fixtures', 'tiny-model'),
		train: path,
		eval: { split: 200 / (statSync(path).size / 300) },
		maxSteps: STEPS,
		evalStrategy: 'epoch',
		outputDir,
		truncation: 'silent',
		threads: 1,
	});
	let begun;
	try {
		for await (const event of trainer.fit()) {
			if (event.type === 'warning') console.error(event.message);
			if (event.type === 'trainBegin') begun = { ...event, peak: peak() };
		}
	} finally {
		await trainer.dispose();
		rmSync(outputDir, { recursive: true, force: true });
	}
	const tokens = join(process.env.DISTILTUNE_TOKENS_DIR, 'distiltune-tokens');
	const kept = readdirSync(tokens).reduce((sum, name) => sum + statSync(join(tokens, name)).size, 0);
	const cells = [
		(statSync(path).size / 1e9).toFixed(2),
		((begun.rows + begun.evalRows) / 1e6).toFixed(2),
		begun.tokensFromCache ? 'from the cache' : 'tokenized',
		(kept / 1e9).toFixed(2),
		begun.readSeconds.toFixed(1),
		begun.peak,
		peak(),
	];
	console.log(`| ${cells.join(' | ')} |`);
}

async function main(format, sizes) {
	const folder = mkdtempSync(join(tmpdir(), 'distiltune-stream-'));
	const env = { ...process.env, DISTILTUNE_TOKENS_DIR: join(folder, 'tokens') };
	console.log(`${STEPS} steps of 8 rows, one thread, ${cpus()[0].model}, Node ${process.version}`);
	console.log('| file, GB | million rows | tokens | token file, GB | reading, s | peak MB after reading | peak MB at the end |');
	console.log('|---|---|---|---|---|---|---|');
	try {
		for (const size of sizes) {
			const path = join(folder, `rows.${format}`);
			writeRows(path, size * 1e9);
			for (let time = 0; time < 2; time++) spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--train', path], { env, stdio: 'inherit' });
			rmSync(env.DISTILTUNE_TOKENS_DIR, { recursive: true, force: true });
		}
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

const [first = 'csv', ...rest] = process.argv.slice(2);
if (first === '--train') await train(rest[0]);
else await main(first, rest.length === 0 ? [5] : rest.map(Number));
