// One entry for every npm script, and for node-gyp (`base`): makes ready what the task needs, then runs it.
// Node's own modules only: this file runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [task, ...args] = process.argv.slice(2);
const say = (text) => process.stderr.write(`${text}\n`);

/** What only the person at the machine can mend: printed as one sentence, exit 2. */
class Unready extends Error {}
/** A task that ran and failed: its exit status, nothing more to say. */
class Failed extends Error {
	constructor(status) {
		super();
		this.status = status;
	}
}

function run(command, commandArgs, options = {}) {
	const done = spawnSync(command, commandArgs, { cwd: root, stdio: 'inherit', ...options });
	if (done.error) throw new Unready(`${command} could not be started: ${done.error.message}.`);
	if (done.status !== 0) throw new Failed(done.status ?? 1);
}
const node = (file, ...rest) => run(process.execPath, [join(root, file), ...rest]);
const answers = (command, ...rest) => spawnSync(command, rest, { encoding: 'utf8' });

function checkNode() {
	const [major, minor] = process.versions.node.split('.').map(Number);
	if (major > 22 || (major === 22 && minor >= 9) || (major === 20 && minor >= 17)) return;
	throw new Unready(`Node ${process.versions.node} is too old: 20.17 or later of 20, or 22.9 or later, is needed; install one with: npx n 22`);
}

function hashOf(paths) {
	const hash = createHash('sha256');
	for (const path of paths) hash.update(path).update(readFileSync(join(root, path)));
	return hash.digest('hex');
}

/** Runs `make` unless `stamp` already holds the hash of `paths`. */
function whenChanged(stamp, paths, make) {
	const path = join(root, stamp);
	const hash = hashOf(paths);
	if (existsSync(path) && readFileSync(path, 'utf8') === hash) return;
	make();
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, hash);
}

function installPackages() {
	whenChanged(join('node_modules', '.distiltune-lock'), ['package-lock.json'], () => {
		say('Installing packages ...');
		const npm = process.env.npm_execpath;
		const quiet = ['ci', '--no-audit', '--no-fund'];
		if (npm) run(process.execPath, [npm, ...quiet]);
		else run(process.platform === 'win32' ? 'npm.cmd' : 'npm', quiet, { shell: process.platform === 'win32' });
	});
}

function compileTypeScript() {
	const sources = readdirSync(join(root, 'lib'), { recursive: true })
		.filter((name) => name.endsWith('.ts'))
		.sort();
	const inputs = ['tsconfig.json', ...sources.map((name) => join('lib', name))];
	whenChanged(join('dist', '.distiltune-sources'), inputs, () => {
		say('Compiling TypeScript ...');
		rmSync(join(root, 'dist'), { recursive: true, force: true }); // nothing stays of a source that is gone
		node('node_modules/typescript/bin/tsc', '-p', root);
	});
}

const fromDist = (file) => import(pathToFileURL(join(root, 'dist', 'runtime', file)).href);

const streamed = { onOutput: (text) => process.stderr.write(text) };

/** Compiles lib/, then base and the engine for the libtorch that is named, else for the cache's. */
async function build({ tests = false } = {}) {
	compileTypeScript();
	const [{ requireCompiler }, { runSetup }, { resolveLibtorch }, { buildClone }] = await Promise.all(
		['toolchain.js', 'setup.js', 'libtorch.js', 'build.js'].map(fromDist),
	);
	requireCompiler(); // before half a gigabyte is fetched
	const libtorch = process.env.DISTILTUNE_LIBTORCH ? resolveLibtorch() : await runSetup({}, say);
	await buildClone(libtorch, { ...streamed, tests });
}

/** What needs no libtorch: lib/ and base. */
async function buildBase() {
	compileTypeScript();
	await (await fromDist('build.js')).buildBase(streamed);
}

/**
 * prebuilds/: base, and the engine under the key of its libtorch, each folder as node-gyp-build reads it. prebuildify calls
 * node-gyp; in its place it gets this file, which has nothing left to compile and ignores gyp's arguments.
 */
async function prebuilds() {
	await build();
	const { resolveLibtorch } = await fromDist('libtorch.js');
	const { key } = resolveLibtorch();
	const env = {
		...process.env,
		PREBUILD_NODE_GYP: `"${process.execPath}" "${fileURLToPath(import.meta.url)}" build`,
		...(process.platform === 'win32' ? {} : { PREBUILD_SHELL: '/bin/sh' }),
	};
	const common = ['--napi', '--strip', '--tag-libc', '-t', process.versions.node];
	for (const [name, cwd, out] of [
		['base', '.', '.'],
		['engine', join('build', key), join('prebuilds', key)],
	])
		run(process.execPath, [join('node_modules', 'prebuildify', 'bin.js'), ...common, '-n', name, '--cwd', cwd, '--out', out], { env });
}

function sourcesUnder(folder, pattern) {
	const names = readdirSync(join(root, folder), { recursive: true });
	return names
		.filter((name) => pattern.test(name))
		.map((name) => join(root, folder, name))
		.filter((path) => statSync(path).isFile());
}

function lint() {
	node('node_modules/@biomejs/biome/bin/biome', 'check');
	const clang = process.env.CLANG_FORMAT ?? 'clang-format';
	if (answers(clang, '--version').status !== 0) return say('clang-format was not found: C++ was not checked (pip install clang-format==23.1.5)');
	run(clang, ['--dry-run', '--Werror', ...sourcesUnder('native', /\.(cpp|h)$/)]);
}

function types() {
	node('node_modules/typescript/bin/tsc', '--noEmit', '-p', root);
	node('node_modules/typescript/bin/tsc', '--noEmit', '-p', join(root, 'test'));
}

async function test() {
	await build({ tests: true });
	node('node_modules/vitest/vitest.mjs', 'run', ...args);
}

/** Every case of the tests that `test` runs a third of. */
async function reliability() {
	process.env.DISTILTUNE_TEST_SHARE ??= '1';
	await build({ tests: true });
	node('node_modules/vitest/vitest.mjs', 'run', '--no-file-parallelism', 'test/70-', ...args);
}

/** Kernel tests with AVX-512 emulated, where the machine has AVX2: slow, so no part of `test`. */
async function testEmulated() {
	const probe = ['-E', '-x', 'c++', '-'];
	const found = spawnSync(process.env.CXX ?? 'c++', probe, { input: '#include <simde/x86/avx512.h>\n', stdio: ['pipe', 'ignore', 'ignore'] });
	if (found.status !== 0) throw new Unready('Expected the headers of SIMDe, which emulate AVX-512; install them with: apt-get install libsimde-dev');
	compileTypeScript();
	const folder = await (await fromDist('build.js')).buildEmulatedTests(streamed);
	for (const source of sourcesUnder('native/kernels/test', /_test\.cpp$/)) {
		say(basename(source, '.cpp'));
		run(join(folder, basename(source, '.cpp')), []);
	}
}

async function quickstart() {
	await build();
	node('dist/cli/quickstart.js', ...args);
}

async function bench() {
	const [name = 'train', ...rest] = args;
	await build();
	node(`bench/${name}.mjs`, ...rest);
}

async function parity() {
	await build();
	node('bench/parity.mjs', ...args);
}

/** Checks against Transformers and scikit-learn themselves, in a private Python environment that the first call makes. */
async function testPython() {
	await build();
	const { peerPython } = await import('../bench/peers/environment.mjs');
	process.env.DISTILTUNE_PEER_PYTHON = peerPython();
	node('node_modules/vitest/vitest.mjs', 'run', '--config', 'test/python/vitest.config.ts', ...args);
}

/** The native tests of kernels and tokenizer for 64-bit Arm, built by Debian's cross compiler and run in an emulator. */
async function testNeon() {
	const [compiler, emulator, libraries] = ['aarch64-linux-gnu-g++', 'qemu-aarch64', '/usr/aarch64-linux-gnu'];
	for (const each of [compiler, emulator])
		if (answers(each, '--version').status !== 0)
			throw new Unready(`${each} was not found; on Debian: apt-get install g++-aarch64-linux-gnu qemu-user`);
	const folder = join('build-cmake', 'neon');
	const names = ['kernels', 'text'].flatMap((room) =>
		readdirSync(join(root, 'native', room, 'test')).flatMap((name) => /^(.+_test)\.cpp$/.exec(name)?.[1] ?? []),
	);
	const definitions = ['SYSTEM_NAME=Linux', 'SYSTEM_PROCESSOR=aarch64', `CXX_COMPILER=${compiler}`].map((each) => `-DCMAKE_${each}`);
	run('cmake', ['-S', '.', '-B', folder, ...definitions, '-DDISTILTUNE_TESTS=ON']);
	run('cmake', ['--build', folder, '--parallel', '--target', ...names]);
	for (const name of names) {
		say(name);
		run(emulator, ['-L', libraries, join(folder, name), ...args]);
	}
}

const tasks = {
	quickstart,
	build,
	base: buildBase,
	prebuilds,
	lint,
	types,
	test,
	reliability,
	bench,
	parity,
	'test:python': testPython,
	'test:emulated': testEmulated,
	'test:neon': testNeon,
	check: async () => {
		lint();
		types();
		await test();
	},
};

try {
	if (!Object.hasOwn(tasks, task)) throw new Unready(`Expected one of ${Object.keys(tasks).join(', ')}, got ${task ?? 'nothing'}.`);
	checkNode();
	installPackages();
	await tasks[task]();
} catch (error) {
	if (error instanceof Failed) process.exitCode = error.status;
	else {
		say([error.message, error.hint].filter(Boolean).join('\n'));
		process.exitCode = 2;
	}
}
