// The runs of the comparison: what each is, where its result is kept, and running it unless that is there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { cacheFolder } from '../../dist/runtime/cache.js';
import { peerPython } from '../peers/environment.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

const model = join(root, 'models', 'minilm-l6');
const examples = join(root, 'examples', 'depression');
const [train, held] = [join(examples, 'train.csv'), join(examples, 'eval.csv')];

/**
 * How Transformers computes each batch: at once, as Trainer does, or with `splitByLength` in groups of rows of similar length, which leaves
 * the mean over its rows as it is. `again` is another way to the same numbers, the yardstick of part a.
 */
const ways = (splitByLength) => (splitByLength ? { groups: 'similar', again: 'alone' } : { groups: null, again: 'similar' });

/** Part a: the first steps without dropout; Transformers twice, the second time as the yardstick. */
export function stepStages(steps, splitByLength) {
	const common = { part: 'a', seed: 42, dropout: 0, maxSteps: steps, loggingSteps: 1 };
	const { groups, again } = ways(splitByLength);
	return {
		theirs: { ...common, name: 'steps-theirs', side: 'theirs', groups },
		again: { ...common, name: 'steps-theirs-again', side: 'theirs', groups: again },
		ours: { ...common, name: 'steps-ours', side: 'ours' },
	};
}

/** Part b: the guide's three epochs with dropout. */
export function epochStage(side, seed, splitByLength) {
	const common = { part: 'b', name: `epochs-${side}-${seed}`, side, seed, dropout: null, maxSteps: -1, loggingSteps: 500 };
	return side === 'theirs' ? { ...common, groups: ways(splitByLength).groups } : common;
}

/** The stored result of a stage, or undefined. */
export function stored(stage) {
	const { result, head } = filesOf(stage);
	return existsSync(result) ? { ...stage, ...JSON.parse(readFileSync(result, 'utf8')), head: readFileSync(head) } : undefined;
}

/** Runs a stage, from where it was left off where its side can do that. */
export function run(stage, { fresh }) {
	const files = filesOf(stage);
	if (fresh) rmSync(files.folder, { recursive: true, force: true });
	if (existsSync(files.result)) return console.error(`${stage.name}: done before, kept in ${files.folder}`);
	console.error(`${stage.name}: running in ${files.folder}`);
	mkdirSync(files.folder, { recursive: true });
	const machine = { cpu: cpus()[0].model.trim(), cores: cpus().length, platform: `${process.platform}-${process.arch}` };
	const options = join(files.folder, 'options.json');
	const { result, head, work } = files;
	writeFileSync(options, JSON.stringify({ ...stage, model, train, eval: held, machine, result, head, work }));
	const [command, script] = stage.side === 'theirs' ? [peerPython(), 'peer.py'] : [process.execPath, 'ours.mjs'];
	const { status, signal } = spawnSync(command, [join(here, script), options], { stdio: ['ignore', 2, 2] });
	if (status !== 0) throw new Error(`${stage.name} ended with ${signal ?? `exit code ${status}`}; the same command goes on from there`);
}

/**
 * A folder of its own for every model, data, options and version of what is compared. Not of the scripts in this folder: who changes
 * what they compute passes --fresh.
 */
function filesOf(stage) {
	const compared = stage.side === 'theirs' ? [join(root, 'bench', 'peers', 'requirements.txt')] : sources();
	const hash = createHash('sha256').update(JSON.stringify(stage));
	for (const path of [...filesUnder(model), train, held, ...compared]) hash.update(readFileSync(path));
	const folder = join(cacheFolder(), 'parity', `${stage.name}-${hash.digest('hex').slice(0, 12)}`);
	return { folder, result: join(folder, 'result.json'), head: join(folder, 'head.f32'), work: join(folder, 'work') };
}

const sources = () => [...filesUnder(join(root, 'lib')), ...filesUnder(join(root, 'native')), join(root, 'CMakeLists.txt')];

function filesUnder(folder) {
	const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
	return files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
}
