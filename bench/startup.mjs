// From process start to the first answer of `distiltune predict DIR "text"`, for a trained folder.
//   npm run bench -- startup DIR [--rounds 11]
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values, positionals } = parseArgs({ options: { rounds: { type: 'string', default: '11' } }, allowPositionals: true });
const [folder] = positionals;
if (folder === undefined) throw new Error('Expected a trained folder: npm run bench -- startup out');

const milliseconds = Array.from({ length: Number(values.rounds) }, () => {
	const started = performance.now();
	const { status, stderr } = spawnSync(process.execPath, [join(root, 'dist', 'cli', 'main.js'), 'predict', folder, 'I feel fine'], {
		encoding: 'utf8',
	});
	if (status !== 0) throw new Error(stderr);
	return performance.now() - started;
}).sort((a, b) => a - b);
console.log(`${cpus()[0].model} x ${cpus().length}, Node ${process.version}, ${milliseconds.length} processes one after another`);
console.log(`median ${milliseconds[Math.floor(milliseconds.length / 2)].toFixed(0)} ms, slowest ${milliseconds.at(-1).toFixed(0)} ms`);
