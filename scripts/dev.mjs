// What the npm scripts call: Node built-ins only, so that it runs before anything is installed.
//   node scripts/dev.mjs test|types|check
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const testBuild = join(root, 'build-cmake', 'tests');
const [verb = '', ...rest] = process.argv.slice(2);

/** What cannot be mended from here: one sentence with the command that mends it, exit 2. */
function refuse(sentence) {
	console.error(sentence);
	process.exit(2);
}

function run(command, args, { quiet = false } = {}) {
	const { status, error } = spawnSync(command, args, { cwd: root, stdio: quiet ? 'ignore' : 'inherit' });
	if (error) return 127;
	return status ?? 1;
}

function must(command, args) {
	const status = run(command, args);
	if (status !== 0) process.exit(status);
}

/** A program of an installed package, run by this Node: no shell, no .cmd files. */
const bin = (path, ...args) => must(process.execPath, [join(root, 'node_modules', ...path.split('/')), ...args]);

function checkMachine() {
	const [major, minor] = process.versions.node.split('.').map(Number);
	if (major < 20 || (major === 20 && minor < 17)) {
		refuse(`Expected Node 20.17 or later, got ${process.versions.node}; install a newer one, for example with: npx n 22`);
	}
	if (process.platform !== 'win32' && run('c++', ['--version'], { quiet: true }) !== 0) {
		refuse('No C++17 compiler was found as c++; install one, for example with: apt-get install g++');
	}
	if (run('cmake', ['--version'], { quiet: true }) !== 0) {
		refuse('CMake 3.18 or later was not found; install it, for example with: python3 -m pip install cmake');
	}
}

/** npm ci, when package-lock.json is not the one that was installed last. */
function installPackages() {
	const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex');
	const stamp = join(root, 'node_modules', '.distiltune-lock');
	if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
	const npm = process.env.npm_execpath;
	if (!npm) refuse(`Expected to be started by npm; run: npm run ${verb}`);
	must(process.execPath, [npm, 'ci']);
	mkdirSync(dirname(stamp), { recursive: true });
	writeFileSync(stamp, hash);
}

function buildNativeTests() {
	must('cmake', ['-S', root, '-B', testBuild, '-DDISTILTUNE_TESTS=ON', '-DCMAKE_BUILD_TYPE=Release']);
	must('cmake', ['--build', testBuild, '--config', 'Release', '--target', 'native_tests', '--parallel', String(cpus().length)]);
}

const types = () => {
	bin('typescript/bin/tsc', '--noEmit');
	bin('typescript/bin/tsc', '--noEmit', '--project', 'test/tsconfig.json');
};
const test = () => {
	buildNativeTests();
	bin('vitest/vitest.mjs', 'run', ...rest);
};
const verbs = {
	types,
	test,
	check: () => {
		types();
		test();
	},
};

if (!Object.hasOwn(verbs, verb)) refuse(`Expected one of ${Object.keys(verbs).join(', ')}, got "${verb}"`);
checkMachine();
installPackages();
verbs[verb]();
