// src/snapshot/overlay.ts
import { lstatSync as lstatSync3, mkdirSync as mkdirSync2, rmSync as rmSync2, symlinkSync } from "node:fs";
import { join as join2 } from "node:path";

// src/errors.ts
var ERROR_CODES = {
  USAGE: { exit: 2, meaning: "the command line or an option is wrong" },
  DOCKERFILE_PARSE: { exit: 3, meaning: "the Dockerfile is not valid" },
  DOCKERFILE_REFERENCE: {
    exit: 3,
    meaning: "the Dockerfile names a stage that does not exist or not yet"
  },
  CHECK_FAILED: { exit: 3, meaning: "a build check failed" },
  CONTEXT: { exit: 4, meaning: "the build context cannot be read" },
  COPY_SOURCE: {
    exit: 4,
    meaning: "a file that COPY or ADD names is missing or outside the context"
  },
  RUN_FAILED: { exit: 5, meaning: "a RUN step ended with a non-zero status" },
  OUT_OF_MEMORY: { exit: 5, meaning: "a step was killed for lack of memory" },
  IMAGE_NOT_FOUND: { exit: 6, meaning: "an image is neither in the store nor in its registry" },
  PLATFORM: {
    exit: 6,
    meaning: "an image does not exist for the platform, or the platform cannot run here"
  },
  REGISTRY: { exit: 7, meaning: "a registry refused a request or answered nonsense" },
  REGISTRY_AUTH: { exit: 7, meaning: "a registry refused the credentials, or needs some" },
  REGISTRY_RATE_LIMIT: { exit: 7, meaning: "a registry asks to come back later" },
  NETWORK: { exit: 7, meaning: "a host cannot be reached, or the connection broke" },
  DIGEST_MISMATCH: {
    exit: 8,
    meaning: "content does not have the digest or size that was promised"
  },
  ARCHIVE: { exit: 8, meaning: "an archive is damaged, hostile or of an unknown kind" },
  MANIFEST: { exit: 8, meaning: "a manifest, index or image configuration is not valid" },
  STORE: { exit: 9, meaning: "the local store cannot be read or written" },
  DISK_FULL: { exit: 9, meaning: "the disk or its inodes are used up" },
  OUTPUT: { exit: 9, meaning: "the result cannot be written where it was asked for" },
  UNSUPPORTED_HOST: { exit: 10, meaning: "this machine lacks something that the operation needs" },
  EXECUTOR: { exit: 10, meaning: "the process that runs steps failed to start or died" },
  NOT_FOUND: { exit: 11, meaning: "no such image, container or file" },
  CONFLICT: { exit: 11, meaning: "the name is in use, or the object is" },
  ABORTED: { exit: 130, meaning: "the operation was interrupted" },
  INTERNAL: { exit: 70, meaning: "a bug in tsbuild" }
};
var TsbuildError = class extends Error {
  name = "TsbuildError";
  code;
  retryable;
  hint;
  location;
  step;
  constructor(code, message, details = {}) {
    super(message, details.cause === void 0 ? void 0 : { cause: details.cause });
    this.code = code;
    this.retryable = details.retryable ?? false;
    if (details.hint !== void 0) this.hint = details.hint;
    if (details.location !== void 0) this.location = details.location;
    if (details.step !== void 0) this.step = details.step;
  }
};
function isTsbuildError(error) {
  return error instanceof Error && "code" in error && typeof error.code === "string" && error.code in ERROR_CODES;
}
function errnoOf(error) {
  if (!(error instanceof Error) || !("code" in error)) return void 0;
  return typeof error.code === "string" && /^E[A-Z0-9]+$/.test(error.code) ? error.code : void 0;
}

// src/host/path-bytes.ts
import { isUtf8 } from "node:buffer";
function decodeName(bytes) {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      text += String.fromCharCode(56320 + bytes[at]);
      at += 1;
    } else {
      text += bytes.toString("utf8", at, at + length);
      at += length;
    }
  }
  return text;
}
function encodeName(text) {
  if (text.isWellFormed()) return Buffer.from(text, "utf8");
  const parts = [];
  for (const character of text) {
    const code = character.codePointAt(0);
    parts.push(
      code >= 56448 && code <= 56575 ? Buffer.of(code - 56320) : Buffer.from(character, "utf8")
    );
  }
  return Buffer.concat(parts);
}
function fsPath(text) {
  return text.isWellFormed() ? text : encodeName(text);
}
function displayName(text) {
  return text.isWellFormed() ? text : text.replace(/[\udc80-\udcff]/g, (c) => `\\x${(c.charCodeAt(0) - 56320).toString(16)}`);
}
function sequenceLength(bytes, at) {
  const first = bytes[at];
  const length = first < 128 ? 1 : first < 194 ? 0 : first < 224 ? 2 : first < 240 ? 3 : first < 245 ? 4 : 0;
  return length > 0 && isUtf8(bytes.subarray(at, at + length)) && at + length <= bytes.length ? length : 0;
}

// src/host/syscalls.ts
import { constants } from "node:os";

// src/host/koffi.ts
import { createRequire } from "node:module";
function loadKoffi() {
  try {
    return createRequire(import.meta.url)("koffi");
  } catch (cause) {
    throw new TsbuildError("UNSUPPORTED_HOST", "load koffi, through which system calls are made", {
      cause,
      hint: `koffi has no binary for ${process.platform}-${process.arch}, or was not installed`
    });
  }
}
function lazily(make) {
  let made;
  return () => {
    made ??= make();
    return made;
  };
}

// src/host/syscalls.ts
var MS_RDONLY = 1;
var MS_NODEV = 4;
var MS_REMOUNT = 32;
var MS_BIND = 4096;
var MS_PRIVATE = 1 << 18;
var MS_SLAVE = 1 << 19;
var MS_SHARED = 1 << 20;
var MNT_DETACH = 2;
function mount(source, target, fstype, flags, data = "") {
  check(
    "mount",
    target,
    libc().mount(cString(source), cString(target), cString(fstype), flags, cString(data))
  );
}
function umount(target, flags = 0) {
  check("umount2", target, libc().umount2(cString(target), flags));
}
function lgetxattr(path2, name) {
  const { lgetxattr: lgetxattr2, errno, scratch } = libc();
  const length = lgetxattr2(cString(path2), cString(name), scratch, scratch.length);
  if (length < 0 && (errno() === ENODATA || errno() === ENOTSUP)) return void 0;
  return Buffer.from(scratch.subarray(0, check("lgetxattr", path2, length)));
}
function llistxattr(path2) {
  const { llistxattr: llistxattr2, errno, scratch } = libc();
  const length = llistxattr2(cString(path2), scratch, scratch.length);
  if (length === 0 || length < 0 && errno() === ENOTSUP) return [];
  return scratch.toString("utf8", 0, check("llistxattr", path2, length) - 1).split("\0");
}
function major(device) {
  const number = BigInt(device);
  return Number(number >> 32n & 0xfffff000n | number >> 8n & 0xfffn);
}
function minor(device) {
  const number = BigInt(device);
  return Number(number >> 12n & 0xffffff00n | number & 0xffn);
}
var { ENODATA, ENOTSUP } = constants.errno;
var XATTR_MAX = 65536;
var SIGNATURES = {
  mount: "int mount(void *source, void *target, void *type, unsigned long flags, void *data)",
  umount2: "int umount2(void *target, int flags)",
  lgetxattr: "long lgetxattr(void *path, void *name, void *value, size_t size)",
  llistxattr: "long llistxattr(void *path, void *list, size_t size)",
  lsetxattr: "int lsetxattr(void *path, void *name, void *value, size_t size, int flags)",
  lremovexattr: "int lremovexattr(void *path, void *name)",
  lchown: "int lchown(void *path, unsigned int uid, unsigned int gid)",
  utimensat: "int utimensat(int directory, void *path, void *times, int flags)",
  ioctl: "int ioctl(int fd, unsigned long request, void *argument)",
  ioctlNumber: "int ioctl(int fd, unsigned long request, unsigned long argument)",
  prctl: "int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)"
};
var libc = lazily(() => {
  const koffi = loadKoffi();
  const library = koffi.load(null);
  const calls = Object.entries(SIGNATURES).map(([name, signature]) => [
    name,
    library.func(signature)
  ]);
  return {
    ...Object.fromEntries(calls),
    mknod: bindMknod(library),
    errno: () => koffi.errno(),
    scratch: Buffer.alloc(XATTR_MAX),
    times: new BigInt64Array(4)
  };
});
function bindMknod(library) {
  try {
    return library.func("int mknod(void *path, unsigned int mode, uint64_t device)");
  } catch {
    const xmknod = library.func(
      "int __xmknod(int version, void *path, unsigned int mode, void *device)"
    );
    return (path2, mode, device) => xmknod(0, path2, mode, BigUint64Array.of(BigInt(device)));
  }
}
function cString(text) {
  if (text.includes("\0")) throw new TypeError(`a NUL byte in ${JSON.stringify(text.toString())}`);
  return typeof text === "string" ? Buffer.from(`${text}\0`, "utf8") : Buffer.concat([text, NUL]);
}
var NUL = Buffer.alloc(1);
function check(syscall, path2, result) {
  if (result >= 0) return result;
  const errno = libc().errno();
  const code = ERRNO_NAMES.get(errno) ?? `E${errno}`;
  const object = path2 === void 0 ? "" : ` '${path2}'`;
  throw Object.assign(new Error(`${code}: ${syscall}${object}`), {
    code,
    errno: -errno,
    syscall,
    ...path2 === void 0 ? {} : { path: path2.toString() }
  });
}
var ERRNO_NAMES = new Map(
  Object.entries(constants.errno).map(([name, number]) => [number, name]).reverse()
);

// src/tree/file-tree.ts
function joinPath(directory, name) {
  return directory === "" ? name : `${directory}/${name}`;
}
function parentPath(path2) {
  const slash = path2.lastIndexOf("/");
  return slash < 0 ? "" : path2.slice(0, slash);
}
function baseName(path2) {
  return path2.slice(path2.lastIndexOf("/") + 1);
}
var EMPTY_TREE = {
  lookup: (path2) => path2 === "" ? EMPTY_ROOT : void 0,
  list: () => []
};
var EMPTY_ROOT = { type: "directory", mode: 493, uid: 0, gid: 0, size: 0, mtime: 0n };

// src/snapshot/binds.ts
function bind(source, target, flags) {
  mount(source, target, "", MS_BIND);
  if (flags !== 0) mount("", target, "", MS_BIND | MS_REMOUNT | flags);
}
function unmount(target) {
  try {
    umount(target, MNT_DETACH);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "EINVAL" && code !== "ENOENT") throw error;
  }
}

// src/snapshot/disk-node.ts
import { constants as constants2, lstatSync, readdirSync, readlinkSync } from "node:fs";
function readDiskNode(file) {
  const path2 = fsPath(file);
  const stat = lstatSync(path2, { bigint: true });
  const type = FILE_TYPES.get(Number(stat.mode) & constants2.S_IFMT);
  if (type === void 0) return void 0;
  const size = type === "file" ? Number(stat.size) : 0;
  const xattrs = readXattrs(path2);
  return {
    type,
    mode: Number(stat.mode) & 4095,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size,
    mtime: stat.mtimeNs,
    ...type === "file" ? { content: { file, offset: 0, size } } : {},
    ...type === "symlink" ? { linkTarget: decodeName(readlinkSync(path2, "buffer")) } : {},
    ...type === "char" || type === "block" ? { device: { major: major(stat.rdev), minor: minor(stat.rdev) } } : {},
    ...type !== "directory" && stat.nlink > 1n ? { inode: String(stat.ino) } : {},
    ...xattrs === void 0 ? {} : { xattrs }
  };
}
function readDiskNames(directory) {
  return readdirSync(fsPath(directory), "buffer").map(decodeName).sort();
}
var FILE_TYPES = /* @__PURE__ */ new Map([
  [constants2.S_IFREG, "file"],
  [constants2.S_IFDIR, "directory"],
  [constants2.S_IFLNK, "symlink"],
  [constants2.S_IFCHR, "char"],
  [constants2.S_IFBLK, "block"],
  [constants2.S_IFIFO, "fifo"]
]);
function readXattrs(path2) {
  let found;
  for (const name of llistxattr(path2).sort()) {
    const value = travels(name) ? lgetxattr(path2, name) : void 0;
    if (value !== void 0) found = { ...found, [name]: value };
  }
  return found;
}
function travels(name) {
  if (name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.")) return false;
  return name.startsWith("user.") || name.startsWith("trusted.") || name.startsWith("system.posix_acl_") || name === "security.capability";
}

// src/snapshot/marks.ts
function isWhiteout(node) {
  return node.type === "char" && node.device?.major === 0 && node.device.minor === 0;
}
function isOpaque(directory) {
  const path2 = fsPath(directory);
  const mark = lgetxattr(path2, "trusted.overlay.opaque") ?? lgetxattr(path2, "user.overlay.opaque");
  return mark?.toString() === "y";
}

// src/snapshot/trash.ts
import { lstatSync as lstatSync2, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
var FEW = 100;
function discard(path2, trash) {
  if (hasFew(path2)) {
    rmSync(path2, { recursive: true, force: true });
    return;
  }
  mkdirSync(trash, { recursive: true });
  try {
    renameSync(path2, freeName(trash));
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
function hasFew(path2) {
  let left = FEW;
  const visit = (directory) => readDiskNames(directory).every((name) => {
    left -= 1;
    const file = `${directory}/${name}`;
    return left >= 0 && (!isDirectory(file) || visit(file));
  });
  try {
    return visit(path2);
  } catch (error) {
    if (errnoOf(error) === void 0) throw error;
    return false;
  }
}
function isDirectory(file) {
  return lstatSync2(fsPath(file)).isDirectory();
}
function freeName(trash) {
  return join(trash, process.hrtime.bigint().toString(36));
}

// src/snapshot/overlay.ts
var SMALL_FILES = 100;
var SMALL_BYTES = 1 << 20;
var MAX_LOWERS = 500;
function createOverlaySnapshotter(options) {
  const overlays = createOverlayMounts(options);
  const remove = (snapshot) => {
    unmount(snapshot.root);
    discard(snapshot.directory, options.trash);
  };
  const create = (key, mountAt) => {
    const directory = join2(options.directory, key);
    const snapshot = { key, directory, root: join2(directory, "root") };
    mkdirSync2(snapshot.root, { recursive: true });
    try {
      mountAt(snapshot);
      return snapshot;
    } catch (error) {
      remove(snapshot);
      throw error;
    }
  };
  return {
    remove,
    prepare: (key, lowers, { devices = false } = {}) => create(key, (snapshot) => {
      for (const name of ["upper", "work"]) mkdirSync2(join2(snapshot.directory, name));
      const flags = devices ? 0 : MS_NODEV;
      if (lowers.length === 0) bind(join2(snapshot.directory, "upper"), snapshot.root, flags);
      else overlays.mount(snapshot, withoutRepeats(lowers), flags, true);
    }),
    view: (key, lowers) => create(key, (snapshot) => {
      const flags = MS_NODEV | MS_RDONLY;
      const [first = snapshot.root, ...others] = withoutRepeats(lowers);
      if (others.length === 0) bind(first, snapshot.root, flags);
      else overlays.mount(snapshot, [first, ...others], flags, false);
    }),
    changes: (snapshot) => ({
      paths: listUpper(join2(snapshot.directory, "upper"), "", []),
      complete: false
    }),
    isSmall: (snapshot) => fits(join2(snapshot.directory, "upper"), { files: SMALL_FILES, bytes: SMALL_BYTES }),
    take: (snapshot) => {
      unmount(snapshot.root);
      return join2(snapshot.directory, "upper");
    }
  };
}
function withoutRepeats(lowers) {
  return [...new Set(lowers.toReversed())].reverse();
}
function createOverlayMounts(options) {
  const directory = join2(options.directory, ".lowers");
  const links = /* @__PURE__ */ new Map();
  const link = (lower) => {
    const known = links.get(lower);
    if (known !== void 0) return known;
    const name = links.size.toString(36);
    mkdirSync2(directory, { recursive: true });
    symlinkSync(lower, join2(directory, name));
    links.set(lower, name);
    return name;
  };
  return {
    mount(snapshot, lowers, flags, writable) {
      if (lowers.length > MAX_LOWERS) throw tooManyLayers(lowers.length);
      const data = [
        `lowerdir=${lowers.map(link).reverse().join(":")}`,
        ...writable ? [`upperdir=../${snapshot.key}/upper,workdir=../${snapshot.key}/work`] : [],
        // Each of these would mark files in ways that only this very stack of layers can read.
        ...options.userXattr ? ["userxattr"] : ["index=off", "redirect_dir=off", "metacopy=off"],
        // No flush to disk at unmount: a snapshot is not kept.
        ...writable ? ["volatile"] : []
      ];
      const before = process.cwd();
      try {
        process.chdir(directory);
        mount("overlay", `../${snapshot.key}/root`, "overlay", flags, data.join(","));
      } catch (cause) {
        const what = `mount an overlay of ${lowers.length} layers`;
        throw new TsbuildError("EXECUTOR", `${what}: ${cause.message}`, { cause });
      } finally {
        process.chdir(before);
      }
    }
  };
}
function tooManyLayers(count) {
  return new TsbuildError(
    "UNSUPPORTED_HOST",
    `mount ${count} layers: overlayfs of Linux takes at most ${MAX_LOWERS}`,
    { hint: "join instructions that change files, or flatten the base image" }
  );
}
function fits(directory, budget) {
  return readDiskNames(directory).every((name) => {
    const file = `${directory}/${name}`;
    const stat = lstatSync3(fsPath(file));
    budget.files -= 1;
    if (stat.isFile()) budget.bytes -= stat.size;
    return budget.files >= 0 && budget.bytes >= 0 && (!stat.isDirectory() || fits(file, budget));
  });
}
function listUpper(upper, directory, found) {
  for (const name of readDiskNames(`${upper}/${directory}`)) {
    const path2 = joinPath(directory, name);
    const file = `${upper}/${path2}`;
    const node = readDiskNode(file);
    if (node === void 0) continue;
    if (isWhiteout(node)) found.push({ path: path2, whiteout: true });
    else if (node.type !== "directory") found.push({ path: path2, node });
    else {
      found.push(isOpaque(file) ? { path: path2, node, opaque: true } : { path: path2, node });
      listUpper(upper, path2, found);
    }
  }
  return found;
}

// src/layer/same-content.ts
import { closeSync as closeSync2, openSync as openSync2 } from "node:fs";

// src/tar/scan.ts
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

// src/tar/entry.ts
var BLOCK = 512;
var MAX_EXTENSION_BYTES = 1024 * 1024;
var MAX_PATH_BYTES = 4096;
var MAX_NAME_BYTES = 255;
var MAX_XATTR_BYTES = 65536;
function padding(size) {
  return (BLOCK - size % BLOCK) % BLOCK;
}
var TarFault = class extends Error {
};
function archiveError(why, name) {
  const where = name === void 0 ? "archive" : `archive entry ${JSON.stringify(displayName(name).slice(0, 300))}`;
  return new TsbuildError("ARCHIVE", `read ${where}: ${why}`);
}

// src/tar/numeric.ts
function readNumber(block, offset, length, field) {
  const first = block[offset];
  if (first & 128) return readBase256(block, offset, length, field);
  let at = offset;
  let end = offset + length;
  while (at < end && (block[at] === 32 || block[at] === 0)) at += 1;
  while (end > at && (block[end - 1] === 32 || block[end - 1] === 0)) end -= 1;
  let value = 0;
  for (; at < end; at += 1) {
    const digit = block[at] - 48;
    if (block[at] === 0) break;
    if (digit < 0 || digit > 7) throw new TarFault(`its ${field} is not a number`);
    value = value * 8 + digit;
  }
  return value;
}
function readBase256(block, offset, length, field) {
  const negative = (block[offset] & 64) !== 0;
  let value = BigInt(block[offset] & 63);
  for (let at = offset + 1; at < offset + length; at += 1)
    value = value << 8n | BigInt(block[at]);
  if (negative) value -= 1n << BigInt(length * 8 - 2);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new TarFault(`its ${field} is out of range`);
  return number;
}
function writeOctal(block, offset, length, value) {
  let rest = value;
  for (let at = offset + length - 2; at >= offset; at -= 1) {
    block[at] = 48 + rest % 8;
    rest = Math.floor(rest / 8);
  }
}
var CHECKSUM_AT = 148;
function checksums(block, start = 0) {
  let unsigned = 0;
  let high = 0;
  for (let at = start; at < start + 512; at += 1) {
    const byte = block[at];
    unsigned += byte;
    high += byte >> 7;
  }
  for (let at = start + CHECKSUM_AT; at < start + CHECKSUM_AT + 8; at += 1) {
    unsigned += 32 - block[at];
    high -= block[at] >> 7;
  }
  return { unsigned, signed: unsigned - 256 * high };
}
function writeChecksum(block, start = 0) {
  writeOctal(block, start + CHECKSUM_AT, 7, checksums(block, start).unsigned);
  block[start + CHECKSUM_AT + 6] = 0;
  block[start + CHECKSUM_AT + 7] = 32;
}
function hasGoodChecksum(block) {
  const stored = readNumber(block, CHECKSUM_AT, 8, "checksum");
  const { unsigned, signed } = checksums(block);
  return stored === unsigned || stored === signed;
}

// src/tar/decode.ts
function isZeroBlock(block) {
  return block[0] === 0 && block.equals(ZEROS);
}
var ZEROS = Buffer.alloc(BLOCK);
function decodeHeaderName(block) {
  return readText(block, 0, 100);
}
function decodeHeader(block) {
  if (!hasGoodChecksum(block)) throw new TarFault("its header has a bad checksum");
  const name = decodeHeaderName(block);
  const dialect = dialectOf(block);
  const prefix = dialect === "ustar" ? readText(block, 345, 155) : dialect === "star" ? readText(block, 345, 131) : "";
  const hasDevice = dialect !== "v7";
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    flag: String.fromCharCode(block[156]),
    mode: readNumber(block, 100, 8, "mode"),
    uid: readNumber(block, 108, 8, "uid"),
    gid: readNumber(block, 116, 8, "gid"),
    size: readNumber(block, 124, 12, "size"),
    mtime: readNumber(block, 136, 12, "mtime"),
    linkName: readText(block, 157, 100),
    major: hasDevice ? readNumber(block, 329, 8, "device") : 0,
    minor: hasDevice ? readNumber(block, 337, 8, "device") : 0,
    block
  };
}
function dialectOf(block) {
  const magic = block.toString("latin1", 257, 265);
  if (magic === "ustar  \0") return "gnu";
  if (!magic.startsWith("ustar\0")) return "v7";
  return block.toString("latin1", 508, 512) === "tar\0" ? "star" : "ustar";
}
function readText(block, offset, length) {
  if (block[offset] === 0) return "";
  const nul = block.indexOf(0, offset);
  const end = nul < 0 || nul > offset + length ? offset + length : nul;
  return decodeName(block.subarray(offset, end));
}

// src/tar/pax.ts
var XATTR = "SCHILY.xattr.";
function encodePax(records) {
  const keys = [...records.keys()].sort();
  return Buffer.concat(keys.map((key) => encodeRecord(key, records.get(key))));
}
function encodeRecord(key, value) {
  const keyBytes = encodeName(key);
  const rest = keyBytes.length + value.length + 3;
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return Buffer.concat([
    Buffer.from(`${length} `),
    keyBytes,
    Buffer.from("="),
    value,
    Buffer.from("\n")
  ]);
}
function parsePax(bytes, onRecord) {
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] === 0) return;
    const space = bytes.indexOf(32, at);
    const digits = space < 0 || space - at > 10 ? "" : bytes.toString("latin1", at, space);
    const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (end > bytes.length || end <= space + 2 || bytes[end - 1] !== 10) throw malformed();
    const equals = bytes.indexOf(61, space + 1);
    if (equals <= space + 1 || equals >= end) throw malformed();
    onRecord(decodeName(bytes.subarray(space + 1, equals)), bytes.subarray(equals + 1, end - 1));
    at = end;
  }
}
function parsePaxTime(value) {
  const match = /^(-?)([0-9]{1,20})(?:\.([0-9]*))?$/.exec(value.toString("latin1"));
  if (match === null) throw new TarFault("its PAX header has a time that is not a number");
  const fraction = (match[3] ?? "").slice(0, 9).padEnd(9, "0");
  const time = BigInt(match[2]) * 1000000000n + BigInt(fraction);
  return match[1] === "-" ? -time : time;
}
function formatPaxTime(time) {
  const magnitude = time < 0n ? -time : time;
  const fraction = String(magnitude % 1000000000n).padStart(9, "0").replace(/0+$/, "");
  const seconds = magnitude / 1000000000n;
  return Buffer.from(`${time < 0n ? "-" : ""}${seconds}${fraction === "" ? "" : `.${fraction}`}`);
}
function parsePaxNumber(key, value) {
  const text = value.toString("latin1");
  const number = /^-?[0-9]{1,20}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new TarFault(`its PAX header has a bad ${key}`);
  return number;
}
function xattrKey(name) {
  return XATTR + name.replace(/[%=]/g, (c) => c === "%" ? "%25" : "%3D");
}
function xattrName(key) {
  if (!key.startsWith(XATTR)) return void 0;
  return key.slice(XATTR.length).replace(/%3D|%25/g, (c) => c === "%25" ? "%" : "=");
}
function checkXattr(name, value) {
  if (name === "" || encodeName(name).length > 255 || name.includes("\0"))
    throw new TarFault("it has a bad xattr name");
  if (value.length > MAX_XATTR_BYTES) throw new TarFault(`its xattr ${name} is larger than 64 KiB`);
}
function malformed() {
  return new TarFault("its PAX header is malformed");
}

// src/tar/extension.ts
function isExtension(flag) {
  return flag === "x" || flag === "g" || flag === "L" || flag === "K";
}
function reserveExtension(extension, size) {
  extension.bytes += size;
  if (extension.bytes > MAX_EXTENSION_BYTES)
    throw new TarFault("its extended header is larger than 1 MiB");
}
function applyExtension(extension, flag, body) {
  if (flag === "L") extension.name = cString2(body);
  else if (flag === "K") extension.linkName = cString2(body);
  else if (flag === "g") parsePax(body, () => {
  });
  else parsePax(body, (key, value) => applyRecord(extension, key, value));
}
function cString2(bytes) {
  const nul = bytes.indexOf(0);
  return decodeName(nul < 0 ? bytes : bytes.subarray(0, nul));
}
function applyRecord(extension, key, value) {
  const xattr = xattrName(key);
  if (xattr !== void 0) {
    checkXattr(xattr, value);
    extension.xattrs ??= /* @__PURE__ */ Object.create(null);
    extension.xattrs[xattr] = Uint8Array.from(value);
  } else if (key.startsWith("GNU.sparse.")) {
    applySparseRecord(extension, key.slice("GNU.sparse.".length), value);
  } else if (value.length > 0) {
    if (key === "path") extension.name = textOf(key, value);
    else if (key === "linkpath") extension.linkName = textOf(key, value);
    else if (key === "size" || key === "uid" || key === "gid")
      extension[key] = parsePaxNumber(key, value);
    else if (key === "mtime") extension.mtime = parsePaxTime(value);
  }
}
function applySparseRecord(extension, key, value) {
  extension.sparse ??= /* @__PURE__ */ new Map();
  if (key === "offset" || key === "numbytes") {
    extension.sparseNumbers ??= [];
    extension.sparseNumbers.push(parsePaxNumber(`GNU.sparse.${key}`, value));
  } else if (key === "map") {
    const numbers = value.length === 0 ? [] : value.toString("latin1").split(",");
    extension.sparseNumbers = numbers.map(
      (number) => parsePaxNumber("GNU.sparse.map", Buffer.from(number))
    );
  } else extension.sparse.set(key, textOf(`GNU.sparse.${key}`, value));
}
function textOf(key, value) {
  if (value.includes(0)) throw new TarFault(`its PAX header has a NUL in ${key}`);
  return decodeName(value);
}

// src/tar/sparse.ts
var MAX_PIECES = 1e5;
var MAP_OFFSET = 386;
function readOldMap(block) {
  return {
    pieces: readOldPieces(block, MAP_OFFSET, 4),
    isExtended: block[482] !== 0,
    realSize: readNumber(block, 483, 12, "sparse size")
  };
}
function readOldExtension(block, pieces) {
  pieces.push(...readOldPieces(block, 0, 21));
  if (pieces.length > MAX_PIECES) throw new TarFault("its sparse map is too long");
  return block[504] !== 0;
}
function readOldPieces(block, start, count) {
  const pieces = [];
  for (let i = 0; i < count; i += 1) {
    const at = start + i * 24;
    if (block[at] === 0) break;
    const offset = readNumber(block, at, 12, "sparse map");
    pieces.push({ offset, size: readNumber(block, at + 12, 12, "sparse map") });
  }
  return pieces;
}
function piecesOf(numbers) {
  if (numbers.length % 2 !== 0 || numbers.length / 2 > MAX_PIECES)
    throw new TarFault("its sparse map is malformed");
  const pieces = [];
  for (let i = 0; i < numbers.length; i += 2)
    pieces.push({ offset: numbers[i], size: numbers[i + 1] });
  return pieces;
}
function* readMapInData(limit) {
  const numbers = [];
  let partial = "";
  let bytes = 0;
  let wanted = 1;
  while (numbers.length < wanted) {
    if (bytes + BLOCK > limit) throw new TarFault("its sparse map is malformed");
    const lines = (partial + (yield void 0).toString("latin1")).split("\n");
    bytes += BLOCK;
    partial = lines.pop();
    for (const line of lines) {
      if (numbers.length === wanted) break;
      numbers.push(parseCount(line));
      wanted = 1 + 2 * numbers[0];
    }
    if (wanted > 2 * MAX_PIECES) throw new TarFault("its sparse map is too long");
  }
  return piecesOf(numbers.slice(1));
}
function parseCount(text) {
  const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number <= Number.MAX_SAFE_INTEGER)) throw new TarFault("its sparse map is malformed");
  return number;
}
function checkMap(pieces, realSize, storedSize) {
  let end = 0;
  let stored = 0;
  for (const { offset, size } of pieces) {
    if (offset < end || size < 0 || offset + size > realSize)
      throw new TarFault("its sparse map is not in order");
    end = offset + size;
    stored += size;
  }
  if (stored !== storedSize) throw new TarFault("its sparse map does not match what is stored");
}

// src/tar/parse.ts
var READ_BLOCK = { kind: "read", size: BLOCK };
function* parseTar() {
  const position = { at: 0, name: void 0 };
  try {
    while (yield* parseEntry(position)) position.name = void 0;
  } catch (error) {
    throw error instanceof TarFault ? archiveError(error.message, position.name) : error;
  }
}
function* parseEntry(position) {
  const extension = { bytes: 0 };
  for (; ; ) {
    const block = yield READ_BLOCK;
    if (block.length === 0) return false;
    if (block.length < BLOCK) throw new TarFault("it ends in the middle of a header");
    position.at += BLOCK;
    if (isZeroBlock(block)) return yield* parseEnd();
    position.name = decodeHeaderName(block);
    const raw = decodeHeader(block);
    if (raw.size < 0) throw new TarFault("its size is negative");
    if (!isExtension(raw.flag)) {
      position.name = extension.sparse?.get("name") ?? extension.name ?? raw.name;
      yield* parseBody(raw, extension, position, position.name);
      return true;
    }
    yield* parseExtension(raw, extension, position);
  }
}
function* parseEnd() {
  const second = yield READ_BLOCK;
  if (second.length === BLOCK && !isZeroBlock(second))
    throw new TarFault("a block of zeros stands between its entries");
  return false;
}
function* parseExtension(raw, extension, position) {
  reserveExtension(extension, raw.size);
  const padded = raw.size + padding(raw.size);
  const bytes = yield { kind: "read", size: padded };
  if (bytes.length < raw.size) throw new TarFault("the archive ends in its extended header");
  position.at += padded;
  applyExtension(extension, raw.flag, Buffer.from(bytes.subarray(0, raw.size)));
}
function* parseBody(raw, extension, position, name) {
  const type = typeOf(raw, name);
  const size = type === "file" ? extension.size ?? raw.size : 0;
  if (size < 0) throw new TarFault("its size is negative");
  const base = {
    name,
    type,
    ...ownership(raw, extension),
    ...linkOf(raw, extension, type),
    ...deviceOf(raw, type)
  };
  const isSparse = type === "file" && (raw.flag === "S" || extension.sparse !== void 0);
  const entry = isSparse ? { ...base, ...yield* parseSparse(raw, extension, position, size) } : { ...base, size, offset: position.at, storedSize: size };
  yield { kind: "entry", entry };
  const padded = entry.storedSize + padding(entry.storedSize);
  if (padded > 0) yield { kind: "skip", size: padded, needed: entry.storedSize, name };
  position.at += padded;
}
var TYPES = /* @__PURE__ */ new Map([
  ["\0", "file"],
  ["0", "file"],
  ["1", "link"],
  ["2", "symlink"],
  ["3", "char"],
  ["4", "block"],
  ["5", "directory"],
  ["6", "fifo"],
  // Contiguous: a file like any other. Sparse, in the old GNU form.
  ["7", "file"],
  ["S", "file"]
]);
function typeOf(raw, name) {
  const type = TYPES.get(raw.flag);
  if (type === void 0)
    throw new TarFault(`it has the unknown type ${JSON.stringify(displayName(raw.flag))}`);
  if (name === "") throw new TarFault("it has no name");
  if (isTooLong(name)) throw new TarFault("its name is longer than 4096 bytes");
  return type === "file" && name.endsWith("/") ? "directory" : type;
}
function isTooLong(path2) {
  return path2.length * 3 > MAX_PATH_BYTES && encodeName(path2).length > MAX_PATH_BYTES;
}
var MAX_ID = 4294967294;
var MAX_TIME = (1n << 63n) - 1n;
function ownership(raw, extension) {
  const uid = extension.uid ?? raw.uid;
  const gid = extension.gid ?? raw.gid;
  for (const id of [uid, gid])
    if (id < 0 || id > MAX_ID) throw new TarFault(`its owner ${id} is out of range`);
  const mtime = extension.mtime ?? BigInt(raw.mtime) * 1000000000n;
  const isPossible = mtime <= MAX_TIME && mtime >= -MAX_TIME;
  return {
    mode: raw.mode & 4095,
    uid,
    gid,
    mtime: isPossible ? mtime : 0n,
    ...extension.xattrs && { xattrs: extension.xattrs }
  };
}
function linkOf(raw, extension, type) {
  if (type !== "link" && type !== "symlink") return {};
  const linkName = extension.linkName ?? raw.linkName;
  if (isTooLong(linkName)) throw new TarFault("its link target is longer than 4096 bytes");
  return { linkName };
}
function deviceOf(raw, type) {
  if (type !== "char" && type !== "block") return {};
  for (const number of [raw.major, raw.minor]) {
    if (number < 0 || number > 4294967295) throw new TarFault("its device number is out of range");
  }
  return { device: { major: raw.major, minor: raw.minor } };
}
function* parseSparse(raw, extension, position, stored) {
  const start = position.at;
  const map = raw.flag === "S" ? yield* parseOldMap(raw, position) : yield* parsePaxMap(extension, position, stored);
  const storedSize = raw.flag === "S" ? stored : stored - (position.at - start);
  checkMap(map.pieces, map.size, storedSize);
  return { size: map.size, offset: position.at, storedSize, sparse: map.pieces };
}
function* parseOldMap(raw, position) {
  const { pieces, realSize, isExtended } = readOldMap(raw.block);
  for (let more = isExtended; more; ) more = readOldExtension(yield* mapBlock(position), pieces);
  return { pieces, size: realSize };
}
function* parsePaxMap(extension, position, stored) {
  const records = extension.sparse;
  const size = Number(records.get("realsize") ?? records.get("size") ?? Number.NaN);
  if (!Number.isSafeInteger(size) || size < 0)
    throw new TarFault("its sparse size is not a number");
  const version = `${records.get("major") ?? 0}.${records.get("minor") ?? 0}`;
  if (version === "0.0" || version === "0.1")
    return { pieces: piecesOf(extension.sparseNumbers ?? []), size };
  if (version !== "1.0") throw new TarFault(`it is sparse in the unknown format ${version}`);
  const reading2 = readMapInData(stored + padding(stored));
  let step = reading2.next();
  while (!step.done) step = reading2.next(yield* mapBlock(position));
  return { pieces: step.value, size };
}
function* mapBlock(position) {
  const block = yield READ_BLOCK;
  if (block.length < BLOCK) throw new TarFault("the archive ends in its sparse map");
  position.at += BLOCK;
  return block;
}

// src/tar/scan.ts
var WINDOW = 256 * 1024;
var NOTHING = Buffer.alloc(0);
function* scanTar(file) {
  const fd = typeof file === "number" ? file : openSync(file, "r");
  try {
    yield* scanDescriptor(fd);
  } finally {
    if (typeof file !== "number") closeSync(fd);
  }
}
function* scanDescriptor(fd) {
  const total = fstatSync(fd).size;
  const window = slidingWindow(fd);
  const parser = parseTar();
  let at = 0;
  for (let step = parser.next(); !step.done; ) {
    const demand = step.value;
    if (demand.kind === "entry") {
      yield demand.entry;
      step = parser.next(NOTHING);
    } else if (demand.kind === "read") {
      const bytes = window(at, demand.size);
      at += bytes.length;
      step = parser.next(bytes);
    } else {
      if (at + demand.needed > total) throw truncated(demand.name);
      at += demand.size;
      step = parser.next(NOTHING);
    }
  }
}
function slidingWindow(fd) {
  let buffer = Buffer.allocUnsafeSlow(WINDOW);
  let start = 0;
  let length = 0;
  return (at, size) => {
    if (at < start || at + size > start + length) {
      if (size > buffer.length) buffer = Buffer.allocUnsafeSlow(size);
      start = at;
      length = readFully(fd, buffer, at);
    }
    return buffer.subarray(at - start, Math.min(at - start + size, length));
  };
}
function readFully(fd, buffer, position) {
  let length = 0;
  while (length < buffer.length) {
    const count = readSync(fd, buffer, length, buffer.length - length, position + length);
    if (count === 0) break;
    length += count;
  }
  return length;
}
function feedTar(onEntry) {
  const parser = parseTar();
  let step = parser.next();
  let held = [];
  let count = 0;
  const answer = (bytes) => {
    held = [];
    count = 0;
    step = parser.next(bytes);
    while (!step.done && step.value.kind === "entry") {
      onEntry(step.value.entry);
      step = parser.next(NOTHING);
    }
  };
  const write = (chunk) => {
    for (let at = 0; at < chunk.length && !step.done; ) {
      const demand = step.value;
      if (demand.kind === "entry") throw new TypeError("an entry is no demand");
      const taken = Math.min(demand.size - count, chunk.length - at);
      const piece = chunk.subarray(at, at + taken);
      at += taken;
      count += taken;
      if (demand.kind === "read" && (held.length > 0 || count < demand.size))
        held.push(Buffer.from(piece));
      if (count < demand.size) continue;
      answer(demand.kind === "skip" ? NOTHING : held.length > 0 ? Buffer.concat(held) : piece);
    }
  };
  const end = () => {
    if (step.done) return;
    const demand = step.value;
    if (demand.kind === "skip" && count < demand.needed) throw truncated(demand.name);
    answer(demand.kind === "read" ? Buffer.concat(held) : NOTHING);
    if (!step.done) answer(NOTHING);
  };
  return { write, end };
}
function truncated(name) {
  return archiveError("the archive ends in the middle of its content", name);
}

// src/layer/same-content.ts
var PIECE = 256 * 1024;
function sameContent(a, b) {
  return sizeOf(a) === sizeOf(b) && reading(a, (left) => reading(b, (right) => agree(left, right, sizeOf(a))));
}
function agree(left, right, size) {
  for (let at = 0; at < size; at += PIECE) {
    const length = Math.min(PIECE, size - at);
    const piece = left(at, length);
    if (piece.length !== length || !piece.equals(right(at, length))) return false;
  }
  return true;
}
function reading(content, use) {
  if ("bytes" in content) {
    const bytes = Buffer.from(content.bytes);
    return use((at, length) => bytes.subarray(at, at + length));
  }
  const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, content.size));
  const fd = openSync2(fsPath(content.file), "r");
  try {
    return use((at, length) => {
      const piece = buffer.subarray(0, length);
      return piece.subarray(0, readFully(fd, piece, content.offset + at));
    });
  } finally {
    closeSync2(fd);
  }
}
function sizeOf(content) {
  return "bytes" in content ? content.bytes.length : content.size;
}

// src/layer/index-file.ts
import { closeSync as closeSync4, openSync as openSync4, readFileSync, readSync as readSync2 } from "node:fs";

// src/host/atomic-file.ts
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
function writeFileAtomic(file, bytes, options = {}) {
  const name = `.${path.basename(file)}.${randomBytes(6).toString("hex")}`;
  const temp = options.tempFile ?? path.join(options.tempDirectory ?? path.dirname(file), name);
  try {
    const fd = fs.openSync(temp, "wx", options.mode ?? 420);
    try {
      fs.writeFileSync(fd, bytes);
      if (options.durable) fs.fdatasyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temp, file);
  } catch (error) {
    fs.rmSync(temp, { force: true });
    throw error;
  }
}

// src/layer/columns.ts
var INDEX_VERSION = 2;
var MAGIC = 1480741716;
var HEADER_BYTES = 32;
var HASH_BYTES = 32;
var KINDS = [
  "file",
  "directory",
  "symlink",
  "char",
  "block",
  "fifo",
  "whiteout",
  "implicit"
];
var OPAQUE_FLAG = 1;
var HASHED_FLAG = 2;
var NO_ORDER = 4294967295;
function allocateColumns({ count, marks, pool, tar }) {
  const total = poolStart(count) + pool + HASH_BYTES;
  const bytes = Buffer.from(new ArrayBuffer(total));
  new Uint32Array(bytes.buffer, 0, 4).set([MAGIC, INDEX_VERSION, count, pool]);
  new Float64Array(bytes.buffer, 16, 1)[0] = tar;
  new Uint32Array(bytes.buffer, 24, 1)[0] = marks;
  return viewColumns(bytes, count);
}
function readHeader(bytes) {
  if (bytes.length < HEADER_BYTES || bytes.byteOffset % 8 !== 0) return void 0;
  const [magic, version, count, pool] = new Uint32Array(bytes.buffer, bytes.byteOffset, 4);
  if (magic !== MAGIC || version !== INDEX_VERSION) return void 0;
  const tar = new Float64Array(bytes.buffer, bytes.byteOffset + 16, 1)[0];
  const marks = new Uint32Array(bytes.buffer, bytes.byteOffset + 24, 1)[0];
  return { count, marks, pool, tar };
}
function openColumns(bytes, tarSize) {
  const header = readHeader(bytes);
  if (header === void 0 || header.tar !== tarSize) return void 0;
  if (poolStart(header.count) + header.pool + HASH_BYTES !== bytes.length) return void 0;
  return viewColumns(bytes, header.count);
}
var RECORD_BYTES = 3 * 8 + 9 * 4 + 2 * 2 + 2 + 32;
function poolStart(count) {
  return HEADER_BYTES + count * RECORD_BYTES;
}
function viewColumns(bytes, count) {
  const { buffer } = bytes;
  let at = bytes.byteOffset + HEADER_BYTES;
  const take = (width) => {
    at += width * count;
    return at - width * count;
  };
  return {
    count,
    size: new Float64Array(buffer, take(8), count),
    offset: new Float64Array(buffer, take(8), count),
    mtime: new BigInt64Array(buffer, take(8), count),
    uid: new Uint32Array(buffer, take(4), count),
    gid: new Uint32Array(buffer, take(4), count),
    inode: new Uint32Array(buffer, take(4), count),
    order: new Uint32Array(buffer, take(4), count),
    parent: new Uint32Array(buffer, take(4), count),
    firstChild: new Uint32Array(buffer, take(4), count),
    childCount: new Uint32Array(buffer, take(4), count),
    nameAt: new Uint32Array(buffer, take(4), count),
    extraAt: new Uint32Array(buffer, take(4), count),
    mode: new Uint16Array(buffer, take(2), count),
    nameLength: new Uint16Array(buffer, take(2), count),
    kind: new Uint8Array(buffer, take(1), count),
    flags: new Uint8Array(buffer, take(1), count),
    sha256: Buffer.from(buffer, take(32), 32 * count),
    pool: bytes.subarray(at - bytes.byteOffset, bytes.length - HASH_BYTES),
    bytes
  };
}

// src/layer/index-encode.ts
import { createHash } from "node:crypto";

// src/layer/entry-set.ts
var MAX_ENTRIES = 2e6;
var IMPLICIT_DIRECTORY = {
  type: "directory",
  mode: 493,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n
};
function createEntrySet() {
  const entries = /* @__PURE__ */ new Map();
  const parents = /* @__PURE__ */ new Set();
  const claimParents = (path2) => {
    for (let child = path2; child !== ""; ) {
      const parent = parentPath(child);
      if (parents.has(parent)) return;
      const entry = entries.get(parent);
      if (entry !== void 0 && "whiteout" in entry) entries.set(parent, recreated(parent));
      else if (entry !== void 0 && entry.node.type !== "directory")
        throw belowOther(path2, parent, entry.node.type);
      parents.add(parent);
      child = parent;
    }
  };
  const put = (entry) => {
    const { path: path2 } = entry;
    if (entries.size >= MAX_ENTRIES)
      throw refused(path2, `the layer has more than ${MAX_ENTRIES} entries`);
    claimParents(path2);
    const before = entries.get(path2);
    if ("whiteout" in entry) {
      if (before === void 0) entries.set(path2, parents.has(path2) ? recreated(path2) : entry);
      else if (!("whiteout" in before) && before.node.type === "directory")
        entries.set(path2, { path: path2, node: before.node, opaque: true });
      return;
    }
    if (entry.node.type !== "directory") {
      if (parents.has(path2) || path2 === "")
        throw refused(path2, "it replaces a directory that is not empty");
      entries.set(path2, entry);
      return;
    }
    const isOpaque2 = entry.opaque || before !== void 0 && ("whiteout" in before || before.opaque === true);
    entries.set(path2, isOpaque2 ? { ...entry, opaque: true } : entry);
  };
  return { put, get: (path2) => entries.get(path2), values: () => entries.values() };
}
function recreated(path2) {
  return { path: path2, node: IMPLICIT_DIRECTORY, opaque: true };
}
function belowOther(path2, parent, type) {
  return refused(
    path2,
    `it lies below ${JSON.stringify(displayName(parent))}, which is a ${type} in the same layer`
  );
}
function refused(path2, why) {
  return new TsbuildError("ARCHIVE", `layer entry ${JSON.stringify(displayName(path2))}: ${why}`);
}

// src/layer/index-encode.ts
var MARKS = ["implicit", "whiteout"];
function encodeIndex(entries, tarSize) {
  const records = breadthFirst(buildTree(entries));
  const pool = createPool(records);
  const columns = allocateColumns({
    count: records.length,
    // The root comes first, and is implicit more often than not.
    marks: records.slice(1).filter(({ entry }) => MARKS.includes(kindOf(entry))).length,
    pool: pool.bytes.length,
    tar: tarSize
  });
  pool.bytes.copy(columns.pool);
  columns.nameAt.set(pool.nameAt);
  columns.nameLength.set(pool.nameLength);
  columns.extraAt.set(pool.extraAt);
  const inodes = numberInodes(records);
  for (let i = 0; i < records.length; i += 1) fillRecord(columns, i, records[i], inodes);
  const body = columns.bytes.subarray(0, columns.bytes.length - HASH_BYTES);
  createHash("sha256").update(body).digest().copy(columns.bytes, body.length);
  return columns.bytes;
}
function buildTree(entries) {
  const root = newRecord("");
  const known = /* @__PURE__ */ new Map([["", root]]);
  const obtain = (path2) => {
    const found = known.get(path2);
    if (found !== void 0) return found;
    const record = newRecord(baseName(path2));
    known.set(path2, record);
    const parent = obtain(parentPath(path2));
    parent.children ??= [];
    parent.children.push(record);
    return record;
  };
  let order = 0;
  for (const entry of entries) {
    const record = obtain(entry.path);
    record.entry = entry;
    record.order = order;
    order += 1;
  }
  return root;
}
function newRecord(name) {
  return { name, entry: void 0, order: NO_ORDER, children: void 0, parent: 0, firstChild: 0 };
}
function breadthFirst(root) {
  const records = [root];
  for (let at = 0; at < records.length; at += 1) {
    const record = records[at];
    record.children?.sort((a, b) => a.name < b.name ? -1 : 1);
    record.firstChild = records.length;
    for (const child of record.children ?? []) {
      child.parent = at;
      records.push(child);
    }
  }
  return records;
}
function numberInodes(records) {
  const uses = /* @__PURE__ */ new Map();
  for (const { entry } of records) {
    if (entry === void 0 || "whiteout" in entry || entry.node.inode === void 0) continue;
    uses.set(entry.node.inode, (uses.get(entry.node.inode) ?? 0) + 1);
  }
  const numbers = /* @__PURE__ */ new Map();
  for (const [inode, count] of uses) if (count > 1) numbers.set(inode, numbers.size + 1);
  return numbers;
}
function fillRecord(columns, i, record, inodes) {
  const { entry, children } = record;
  columns.parent[i] = record.parent;
  columns.order[i] = record.order;
  columns.kind[i] = KINDS.indexOf(kindOf(entry));
  columns.firstChild[i] = record.firstChild;
  columns.childCount[i] = children?.length ?? 0;
  if (entry !== void 0 && "whiteout" in entry) return;
  fillNode(columns, i, entry?.node ?? IMPLICIT_DIRECTORY, inodes);
  if (entry?.opaque) columns.flags[i] |= OPAQUE_FLAG;
}
function kindOf(entry) {
  if (entry === void 0) return "implicit";
  if ("whiteout" in entry) return "whiteout";
  return entry.implicit ? "implicit" : entry.node.type;
}
function fillNode(columns, i, node, inodes) {
  columns.size[i] = node.size;
  columns.offset[i] = node.content !== void 0 && "offset" in node.content ? node.content.offset : 0;
  columns.mtime[i] = node.mtime;
  columns.uid[i] = node.uid;
  columns.gid[i] = node.gid;
  columns.mode[i] = node.mode;
  if (node.inode !== void 0) columns.inode[i] = inodes.get(node.inode) ?? 0;
  if (node.sha256 !== void 0) {
    columns.sha256.write(node.sha256, i * HASH_BYTES, "hex");
    columns.flags[i] |= HASHED_FLAG;
  }
}
function createPool(records) {
  const pieces = [Buffer.alloc(1)];
  let end = 1;
  const add = (bytes) => {
    pieces.push(bytes);
    end += bytes.length;
    return end - bytes.length;
  };
  const count = records.length;
  const nameAt = new Uint32Array(count);
  const nameLength = new Uint16Array(count);
  const extraAt = new Uint32Array(count);
  records.forEach(({ name, entry }, i) => {
    const bytes = encodeName(name);
    nameAt[i] = add(bytes);
    nameLength[i] = bytes.length;
    if (entry !== void 0 && "node" in entry && hasExtra(entry.node))
      extraAt[i] = add(encodeExtra(entry.node));
  });
  return { bytes: Buffer.concat(pieces), nameAt, nameLength, extraAt };
}
function hasExtra(node) {
  return node.linkTarget !== void 0 || node.device !== void 0 || node.xattrs !== void 0;
}
function encodeExtra(node) {
  const parts = [];
  const number = (value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    parts.push(bytes);
  };
  const counted = (bytes) => {
    number(bytes.length);
    parts.push(Buffer.from(bytes));
  };
  const xattrs = node.xattrs && Object.entries(node.xattrs);
  number((node.device ? 1 : 0) | (node.linkTarget === void 0 ? 0 : 2) | (xattrs ? 4 : 0));
  if (node.device) {
    number(node.device.major);
    number(node.device.minor);
  }
  if (node.linkTarget !== void 0) counted(encodeName(node.linkTarget));
  if (xattrs) {
    number(xattrs.length);
    for (const [name, value] of xattrs) {
      counted(encodeName(name));
      counted(value);
    }
  }
  return Buffer.concat(parts);
}

// src/layer/index-view.ts
import { createHash as createHash2 } from "node:crypto";

// src/oci/digest.ts
var PATTERN = /^sha256:[0-9a-f]{64}$/;
function parseDigest(text) {
  if (!PATTERN.test(text))
    throw new TsbuildError(
      "MANIFEST",
      `not a sha256 digest: ${JSON.stringify(text.slice(0, 200))}`
    );
  return text;
}
function digestFromHex(hex) {
  return parseDigest(`sha256:${hex}`);
}
function hexOf(digest) {
  return digest.slice("sha256:".length);
}

// src/layer/index-view.ts
function viewIndex(bytes, layer) {
  const columns = openColumns(bytes, layer.size);
  if (columns === void 0) return void 0;
  const body = bytes.subarray(0, bytes.length - HASH_BYTES);
  const isWhole = createHash2("sha256").update(body).digest().equals(bytes.subarray(body.length));
  return isWhole ? new IndexView(columns, layer) : void 0;
}
var IndexView = class {
  #columns;
  #tar;
  #inodePrefix;
  #entries;
  constructor(columns, layer) {
    this.#columns = columns;
    this.#tar = layer.tar;
    this.#inodePrefix = `${hexOf(layer.diffID).slice(0, 16)}:`;
  }
  get entries() {
    this.#entries ??= this.#readAll();
    return this.#entries;
  }
  child(directory, name) {
    let { start, end } = this.children(directory);
    while (start < end) {
      const middle = start + end >>> 1;
      const here = this.nameOf(middle);
      if (here === name) return middle;
      if (here < name) start = middle + 1;
      else end = middle;
    }
    return -1;
  }
  children(directory) {
    const start = this.#columns.firstChild[directory];
    return { start, end: start + this.#columns.childCount[directory] };
  }
  nameOf(record) {
    const { pool, nameAt, nameLength } = this.#columns;
    const start = nameAt[record];
    return decodeName(pool.subarray(start, start + nameLength[record]));
  }
  kindOf(record) {
    const kind = this.#kind(record);
    if (kind === "whiteout") return kind;
    return kind === "directory" || kind === "implicit" ? "directory" : "other";
  }
  isImplicit(record) {
    return this.#kind(record) === "implicit";
  }
  pathsOf(kind) {
    const { count, kind: kinds } = this.#columns;
    const code = KINDS.indexOf(kind);
    const paths = [];
    for (let record = 1; record < count; record += 1) {
      if (kinds[record] === code) paths.push(this.#pathOf(record));
    }
    return paths;
  }
  isOpaque(record) {
    return (this.#columns.flags[record] & OPAQUE_FLAG) !== 0;
  }
  nodeOf(record) {
    const columns = this.#columns;
    const kind = this.#kind(record);
    if (kind === "whiteout") throw new TypeError("a whiteout has no node");
    const type = kind === "implicit" ? "directory" : kind;
    const size = columns.size[record];
    const offset = columns.offset[record];
    const inode = columns.inode[record];
    const isHashed = (columns.flags[record] & HASHED_FLAG) !== 0;
    return {
      type,
      mode: columns.mode[record],
      uid: columns.uid[record],
      gid: columns.gid[record],
      size,
      mtime: columns.mtime[record],
      ...type === "file" && { content: { file: this.#tar, offset, size } },
      ...isHashed && {
        sha256: columns.sha256.toString("hex", record * HASH_BYTES, (record + 1) * HASH_BYTES)
      },
      ...inode !== 0 && { inode: this.#inodePrefix + inode },
      ...columns.extraAt[record] !== 0 && decodeExtra(columns.pool, columns.extraAt[record])
    };
  }
  #kind(record) {
    return KINDS[this.#columns.kind[record]];
  }
  #pathOf(record) {
    if (record === 0) return "";
    return joinPath(this.#pathOf(this.#columns.parent[record]), this.nameOf(record));
  }
  #readAll() {
    const { count, order, parent } = this.#columns;
    const paths = [""];
    const inOrder = [];
    for (let record = 0; record < count; record += 1) {
      if (record > 0) paths.push(joinPath(paths[parent[record]], this.nameOf(record)));
      if (order[record] !== NO_ORDER) inOrder[order[record]] = record;
    }
    return new Map(inOrder.map((record) => [paths[record], this.#entry(record, paths[record])]));
  }
  #entry(record, path2) {
    if (this.#kind(record) === "whiteout") return { path: path2, whiteout: true };
    const node = this.nodeOf(record);
    if (!this.isOpaque(record)) return { path: path2, node };
    return this.isImplicit(record) ? { path: path2, node, opaque: true, implicit: true } : { path: path2, node, opaque: true };
  }
};
function decodeExtra(pool, start) {
  let at = start;
  const number = () => {
    at += 4;
    return pool.readUInt32LE(at - 4);
  };
  const counted = () => {
    const length = number();
    at += length;
    return pool.subarray(at - length, at);
  };
  const present = number();
  const device = present & 1 ? { major: number(), minor: number() } : void 0;
  const linkTarget = present & 2 ? decodeName(counted()) : void 0;
  const xattrs = /* @__PURE__ */ Object.create(null);
  if (present & 4) {
    for (let left = number(); left > 0; left -= 1) {
      const name = decodeName(counted());
      xattrs[name] = Uint8Array.from(counted());
    }
  }
  return {
    ...device && { device },
    ...linkTarget !== void 0 && { linkTarget },
    ...present & 4 && { xattrs }
  };
}

// src/layer/scan.ts
import { createHash as createHash3 } from "node:crypto";
import { closeSync as closeSync3, openSync as openSync3 } from "node:fs";

// src/tar/entry-path.ts
function entryPath(name, entryName = name) {
  if (isClean(name)) return name;
  const parts = [];
  for (const part of name.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (parts.pop() === void 0)
        throw archiveError(`${escaped(name, entryName)} out of the archive's root`, entryName);
      continue;
    }
    if (part.length * 3 > MAX_NAME_BYTES && encodeName(part).length > MAX_NAME_BYTES) {
      throw archiveError("a component of its name is longer than 255 bytes", entryName);
    }
    if (part.includes("\0")) throw archiveError("its name contains a NUL", entryName);
    parts.push(part);
  }
  return parts.join("/");
}
function isClean(name) {
  return name.length <= 85 && /^[^/.\0][^/\0]*(?:\/[^/.\0][^/\0]*)*$/.test(name);
}
function escaped(name, entryName) {
  return name === entryName ? "it leads" : `its link target ${JSON.stringify(name)} leads`;
}

// src/layer/whiteout.ts
var PREFIX = ".wh.";
var OPAQUE = ".wh..wh..opq";
var AUFS = ".wh..wh.";
function parseLayerName(path2) {
  if (!path2.includes(PREFIX)) return { kind: "path", path: path2 };
  const parts = path2.split("/");
  if (parts.some((part) => part.startsWith(AUFS) && part !== OPAQUE)) return { kind: "ignored" };
  if (parts.slice(0, -1).some((part) => part.startsWith(PREFIX))) {
    throw archiveError("it lies below a whiteout", path2);
  }
  const base = baseName(path2);
  if (!base.startsWith(PREFIX)) return { kind: "path", path: path2 };
  if (base === OPAQUE) return { kind: "opaque", path: parentPath(path2) };
  const name = base.slice(PREFIX.length);
  if (name === "" || name === "." || name === "..")
    throw archiveError("it is a whiteout of no name", path2);
  return { kind: "whiteout", path: joinPath(parentPath(path2), name) };
}
function whiteoutName(path2) {
  return joinPath(parentPath(path2), PREFIX + baseName(path2));
}
function opaqueName(path2) {
  return joinPath(path2, OPAQUE);
}
function isReservedName(path2) {
  return baseName(path2).startsWith(PREFIX);
}

// src/layer/scan.ts
var CHUNK = 1024 * 1024;
function scanLayer(tar, diffID) {
  const collected = collectEntries(tar);
  const fd = openTar(tar);
  try {
    if (diffID !== void 0) scanAndVerify(fd, diffID, collected.add);
    else for (const entry of scanTar(fd)) collected.add(entry);
  } finally {
    closeSync3(fd);
  }
  return collected.entries();
}
function scanAndVerify(fd, diffID, add) {
  const hash3 = createHash3("sha256");
  const feed = feedTar(add);
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  for (let at = 0, length = CHUNK; length === CHUNK; at += length) {
    length = readFully(fd, buffer, at);
    const chunk = buffer.subarray(0, length);
    hash3.update(chunk);
    feed.write(chunk);
  }
  feed.end();
  const found = digestFromHex(hash3.digest("hex"));
  if (found !== diffID)
    throw new TsbuildError(
      "DIGEST_MISMATCH",
      `read layer ${diffID}: its tar has the digest ${found}`
    );
}
function openTar(tar) {
  try {
    return openSync3(tar, "r");
  } catch (cause) {
    throw new TsbuildError("STORE", `open layer ${tar}: ${errnoOf(cause) ?? "failed"}`, { cause });
  }
}
function collectEntries(tar) {
  const set = createEntrySet();
  return { add: (entry) => addEntry(set, entry, tar), entries: () => set.values() };
}
function addEntry(set, entry, tar) {
  const name = parseLayerName(entryPath(entry.name));
  if (name.kind === "ignored") return;
  const { path: path2 } = name;
  if (name.kind === "whiteout") set.put({ path: path2, whiteout: true });
  else if (name.kind === "opaque") set.put(markedDirectory(set, path2, entry.name));
  else if (entry.type === "link") addLink(set, entry, path2);
  else set.put({ path: path2, node: toNode(entry, tar) });
}
function markedDirectory(set, path2, mark) {
  const entry = set.get(path2);
  if (entry === void 0) return { path: path2, node: IMPLICIT_DIRECTORY, opaque: true, implicit: true };
  if ("whiteout" in entry) return { path: path2, node: IMPLICIT_DIRECTORY, opaque: true };
  if (entry.node.type !== "directory")
    throw archiveError("it marks what is not a directory as opaque", mark);
  return { ...entry, opaque: true };
}
function addLink(set, entry, path2) {
  const target = entryPath(entry.linkName ?? "", entry.name);
  const found = set.get(target);
  if (found === void 0 || !("node" in found)) {
    throw archiveError(
      `it is a hard link to ${JSON.stringify(target)}, which does not come before it`,
      entry.name
    );
  }
  if (found.node.type === "directory")
    throw archiveError("it is a hard link to a directory", entry.name);
  if (target === path2) return;
  const node = found.node.inode === void 0 ? { ...found.node, inode: target } : found.node;
  if (node !== found.node) set.put({ ...found, node });
  set.put({ path: path2, node });
}
function toNode(entry, tar) {
  if (entry.sparse !== void 0) {
    throw new TsbuildError(
      "ARCHIVE",
      `layer entry ${JSON.stringify(entry.name)}: sparse files are not supported in layers`,
      {
        hint: "make the layer without --sparse; no image builder writes such entries"
      }
    );
  }
  return {
    type: entry.type === "link" ? "file" : entry.type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.size,
    mtime: entry.mtime,
    ...entry.type === "file" && {
      content: { file: tar, offset: entry.offset, size: entry.size }
    },
    ...entry.type === "symlink" && { linkTarget: entry.linkName ?? "" },
    ...entry.device && { device: entry.device },
    ...entry.xattrs && { xattrs: entry.xattrs }
  };
}

// src/layer/index-file.ts
function readIndex(layer) {
  const bytes = readIfThere(layer.index);
  return (bytes && viewIndex(bytes, layer)) ?? rebuildIndex(layer);
}
function rebuildIndex(layer) {
  const bytes = encodeIndex(scanLayer(layer.tar), layer.size);
  try {
    writeFileAtomic(layer.index, bytes);
  } catch (error) {
    if (!["EACCES", "EPERM", "EROFS"].includes(errnoOf(error) ?? "")) throw error;
  }
  return viewIndex(bytes, layer);
}
function readIfThere(file) {
  try {
    return readFileSync(file);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return void 0;
    throw new TsbuildError("STORE", `read layer index ${file}`, { cause });
  }
}

// src/layer/stack.ts
function stackTree(layers, read = readIndex) {
  if (layers.length === 0) return EMPTY_TREE;
  const partsOf = partsIn(layers, read);
  return {
    lookup: (path2) => findNode(partsOf, path2),
    list: (path2) => listNames(partsOf(path2))
  };
}
function partsIn(layers, read) {
  const known = /* @__PURE__ */ new Map();
  const partsOf = (path2) => {
    let parts = known.get(path2);
    if (parts === void 0) {
      parts = path2 === "" ? rootParts(layers, read) : partsOfChild(partsOf(parentPath(path2)), baseName(path2));
      known.set(path2, parts);
    }
    return parts;
  };
  return partsOf;
}
function rootParts(layers, read) {
  const parts = [];
  for (const layer of layers.toReversed()) {
    const view = read(layer);
    parts.push({ view, record: 0 });
    if (view.isOpaque(0)) break;
  }
  return parts;
}
function partsOfChild(parents, name) {
  const parts = [];
  for (const { view, record } of parents) {
    const child = view.child(record, name);
    if (child < 0) continue;
    if (view.kindOf(child) !== "directory") break;
    parts.push({ view, record: child });
    if (view.isOpaque(child)) break;
  }
  return parts;
}
function findNode(partsOf, path2) {
  if (path2 === "") return rootNode(partsOf(""));
  const parents = partsOf(parentPath(path2));
  const found = findChild(parents, baseName(path2));
  if (found === void 0 || !found.view.isImplicit(found.record))
    return found?.view.nodeOf(found.record);
  const { view, record } = listedDirectory(parents, baseName(path2)) ?? found;
  return view.nodeOf(record);
}
function rootNode(parts) {
  const explicit = parts.find(({ view }) => !view.isImplicit(0)) ?? parts[0];
  return explicit.view.nodeOf(explicit.record);
}
function findChild(parents, name) {
  for (const { view, record } of parents) {
    const child = view.child(record, name);
    if (child >= 0) return view.kindOf(child) === "whiteout" ? void 0 : { view, record: child };
  }
  return void 0;
}
function listedDirectory(parents, name) {
  for (const { view, record } of parents) {
    const child = view.child(record, name);
    if (child < 0) continue;
    if (view.kindOf(child) !== "directory") return void 0;
    if (!view.isImplicit(child)) return { view, record: child };
  }
  return void 0;
}
function listNames(parts) {
  const isThere = /* @__PURE__ */ new Map();
  for (const { view, record } of parts) {
    const { start, end } = view.children(record);
    for (let child = start; child < end; child += 1) {
      const name = view.nameOf(child);
      if (!isThere.has(name)) isThere.set(name, view.kindOf(child) !== "whiteout");
    }
  }
  const names = [];
  for (const [name, visible] of isThere) if (visible) names.push(name);
  return parts.length > 1 ? names.sort() : names;
}

// src/layer/write.ts
import { hash as hash2 } from "node:crypto";
import { closeSync as closeSync6, constants as constants3, openSync as openSync6, writeFileSync } from "node:fs";
import { join as join3 } from "node:path";

// src/host/disk-error.ts
function diskError(error, operation, code = "STORE") {
  const errno = errnoOf(error);
  if (isTsbuildError(error) || errno === void 0) return error;
  const details = { cause: error, ...hintFor(errno) };
  if (["ENOSPC", "EDQUOT"].includes(errno))
    return new TsbuildError("DISK_FULL", `${operation}: the disk is full`, details);
  return new TsbuildError(code, `${operation}: ${error.message}`, details);
}
function hintFor(errno) {
  switch (errno) {
    case "ENOSPC":
    case "EDQUOT":
      return { hint: "free some space or inodes; `tsbuild prune` removes what no image needs" };
    case "EACCES":
    case "EPERM":
      return { hint: "check who owns the directory, or choose another one" };
    case "EROFS":
      return { hint: "the filesystem is read-only: choose another place" };
    case "EMFILE":
    case "ENFILE":
      return { hint: "raise the limit on open files (ulimit -n)" };
    default:
      return {};
  }
}

// src/tar/encode.ts
var TYPE_FLAGS = {
  file: 48,
  link: 49,
  symlink: 50,
  char: 51,
  block: 52,
  directory: 53,
  fifo: 54
};
var MAX_7_DIGITS = 2097151;
var MAX_11_DIGITS = 8589934591;
var SECOND = 1000000000n;
var END_OF_ARCHIVE = Buffer.alloc(2 * BLOCK);
function encodeHeader(header) {
  const name = encodeName(header.name);
  const link = header.linkName === void 0 ? NOTHING2 : encodeName(header.linkName);
  const split = splitName(name);
  const seconds = Number(header.mtime / SECOND);
  const isPlain = split !== void 0 && link.length <= 100 && isAscii(link) && header.uid <= MAX_7_DIGITS && header.gid <= MAX_7_DIGITS && header.size <= MAX_11_DIGITS && header.mtime >= 0n && seconds <= MAX_11_DIGITS && header.mtime % SECOND === 0n && header.xattrs === void 0;
  if (isPlain) {
    const block = Buffer.alloc(BLOCK);
    fillBlock(block, 0, header, split, link, seconds);
    return block;
  }
  return encodeExtended(header, name, link, split, seconds);
}
var NOTHING2 = Buffer.alloc(0);
function encodeExtended(header, name, link, split, seconds) {
  const records = paxRecords(header, name, link, split !== void 0, seconds);
  if (records.size === 0) {
    const block = Buffer.alloc(BLOCK);
    fillBlock(block, 0, header, split, link, seconds);
    return block;
  }
  const pax = encodePax(records);
  if (pax.length > MAX_EXTENSION_BYTES)
    throw new TypeError("xattrs of one file are larger than 1 MiB");
  const paxBlocks = BLOCK + pax.length + padding(pax.length);
  const blocks = Buffer.alloc(paxBlocks + BLOCK);
  fillPaxBlock(blocks, pax.length, name);
  pax.copy(blocks, BLOCK);
  fillBlock(
    blocks,
    paxBlocks,
    header,
    split ?? { prefix: NOTHING2, name: name.subarray(0, 100) },
    link,
    seconds
  );
  return blocks;
}
function paxRecords(header, name, link, isNamePlain, seconds) {
  const records = /* @__PURE__ */ new Map();
  if (!isNamePlain) records.set("path", name);
  if (link.length > 100 || !isAscii(link)) records.set("linkpath", link);
  if (header.uid > MAX_7_DIGITS) records.set("uid", Buffer.from(String(header.uid)));
  if (header.gid > MAX_7_DIGITS) records.set("gid", Buffer.from(String(header.gid)));
  if (header.size > MAX_11_DIGITS) records.set("size", Buffer.from(String(header.size)));
  if (header.mtime < 0n || seconds > MAX_11_DIGITS || header.mtime % SECOND !== 0n) {
    records.set("mtime", formatPaxTime(header.mtime));
  }
  for (const [key, value] of Object.entries(header.xattrs ?? {})) {
    records.set(xattrKey(key), Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  }
  return records;
}
function fillBlock(blocks, at, header, split, link, seconds) {
  split.name.copy(blocks, at);
  writeOctal(blocks, at + 100, 8, header.mode);
  writeOctal(blocks, at + 108, 8, header.uid > MAX_7_DIGITS ? 0 : header.uid);
  writeOctal(blocks, at + 116, 8, header.gid > MAX_7_DIGITS ? 0 : header.gid);
  writeOctal(blocks, at + 124, 12, header.size > MAX_11_DIGITS ? 0 : header.size);
  writeOctal(blocks, at + 136, 12, seconds < 0 || seconds > MAX_11_DIGITS ? 0 : seconds);
  blocks[at + 156] = TYPE_FLAGS[header.type];
  link.copy(blocks, at + 157, 0, 100);
  fillMagic(blocks, at);
  if (header.device !== void 0) {
    const { major: major2, minor: minor2 } = header.device;
    if (major2 > MAX_7_DIGITS || minor2 > MAX_7_DIGITS)
      throw new TypeError("device number is out of range");
    writeOctal(blocks, at + 329, 8, major2);
    writeOctal(blocks, at + 337, 8, minor2);
  }
  split.prefix.copy(blocks, at + 345);
  writeChecksum(blocks, at);
}
function fillPaxBlock(blocks, size, name) {
  const base = name.subarray(name.lastIndexOf(47, name.length - 2) + 1).subarray(0, 80);
  blocks.write("PaxHeaders.0/", 0, "latin1");
  for (let at = 0; at < base.length; at += 1) blocks[13 + at] = base[at] < 128 ? base[at] : 95;
  if (base.at(-1) === 47) blocks[13 + base.length - 1] = 0;
  writeOctal(blocks, 100, 8, 420);
  writeOctal(blocks, 108, 8, 0);
  writeOctal(blocks, 116, 8, 0);
  writeOctal(blocks, 124, 12, size);
  writeOctal(blocks, 136, 12, 0);
  blocks[156] = 120;
  fillMagic(blocks, 0);
  writeChecksum(blocks, 0);
}
function fillMagic(blocks, at) {
  blocks.write("ustar\x0000", at + 257, "latin1");
}
function splitName(name) {
  if (!isAscii(name)) return void 0;
  if (name.length <= 100) return { prefix: NOTHING2, name };
  if (name.length > 256) return void 0;
  const slash = name.lastIndexOf(47, Math.min(155, name.length - 2));
  if (slash <= 0 || name.length - slash - 1 > 100) return void 0;
  return { prefix: name.subarray(0, slash), name: name.subarray(slash + 1) };
}
function isAscii(bytes) {
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at] >= 128) return false;
  return true;
}

// src/layer/tar-sink.ts
import { createHash as createHash4, hash } from "node:crypto";
import { closeSync as closeSync5, openSync as openSync5, readSync as readSync3 } from "node:fs";

// src/host/sparse-file.ts
import { ftruncateSync, writeSync } from "node:fs";
var SMALLEST_HOLE = 64 * 1024;
function sparseFile(fd) {
  let length = 0;
  let endsInHole = false;
  return {
    write(bytes) {
      endsInHole = bytes.length >= SMALLEST_HOLE && isZero(bytes);
      for (let at = endsInHole ? bytes.length : 0; at < bytes.length; )
        at += writeSync(fd, bytes, at, bytes.length - at, length + at);
      length += bytes.length;
    },
    finish() {
      if (endsInHole) ftruncateSync(fd, length);
    }
  };
}
function isZero(bytes) {
  if (bytes[0] !== 0 || bytes[bytes.length - 1] !== 0) return false;
  return Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0;
}

// src/layer/tar-sink.ts
var BUFFER_BYTES = 1024 * 1024;
function openTarSink(file) {
  return new FileSink(file);
}
var FileSink = class {
  #file;
  #fd;
  #out;
  #hash = createHash4("sha256");
  /** One byte more than may be used: room to see that a file has grown. */
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES + 1);
  #used = 0;
  #flushed = 0;
  #isOpen = true;
  constructor(file) {
    this.#file = file;
    this.#fd = attempt(file, () => openSync5(file, "wx", 420));
    this.#out = sparseFile(this.#fd);
  }
  position() {
    return this.#flushed + this.#used;
  }
  put(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + BUFFER_BYTES - this.#used);
      this.#buffer.set(piece, this.#used);
      at += piece.length;
      this.#advance(piece.length);
    }
  }
  copy(source, isHashed) {
    if (source.size > BUFFER_BYTES) return this.#copyLarge(source, isHashed);
    if (this.#used + source.size > BUFFER_BYTES) this.#flush();
    if (!this.#fill(source, 0, source.size)) return void 0;
    const bytes = this.#buffer.subarray(this.#used, this.#used + source.size);
    const digest = isHashed ? hash("sha256", bytes, "hex") : "";
    this.#advance(source.size);
    return digest;
  }
  pad() {
    const zeros = padding(this.position());
    if (zeros > 0) this.put(ZEROS2.subarray(0, zeros));
  }
  finish() {
    this.#flush();
    attempt(this.#file, () => this.#out.finish());
    this.close();
    return this.#hash.digest("hex");
  }
  close() {
    if (this.#isOpen) closeSync5(this.#fd);
    this.#isOpen = false;
  }
  #copyLarge(source, isHashed) {
    const contentHash = isHashed ? createHash4("sha256") : void 0;
    for (let done = 0; done < source.size; ) {
      const size = Math.min(source.size - done, BUFFER_BYTES - this.#used);
      if (!this.#fill(source, done, size)) return void 0;
      contentHash?.update(this.#buffer.subarray(this.#used, this.#used + size));
      this.#advance(size);
      done += size;
    }
    return contentHash?.digest("hex") ?? "";
  }
  /** Reads `size` bytes behind what is used; false if there are not as many, or one more than there may be. */
  #fill(source, done, size) {
    const probe = source.isWhole && done + size === source.size ? 1 : 0;
    let count = 0;
    while (count < size) {
      const at = this.#used + count;
      const read = readSync3(
        source.fd,
        this.#buffer,
        at,
        size - count + probe,
        source.offset + done + count
      );
      if (read === 0) return false;
      count += read;
    }
    return count === size;
  }
  #advance(size) {
    this.#used += size;
    if (this.#used === BUFFER_BYTES) this.#flush();
  }
  #flush() {
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#hash.update(bytes);
    attempt(this.#file, () => this.#out.write(bytes));
    this.#flushed += this.#used;
    this.#used = 0;
  }
};
var ZEROS2 = Buffer.alloc(BLOCK);
function attempt(file, write) {
  try {
    return write();
  } catch (error) {
    throw diskError(error, `write layer ${file}`);
  }
}

// src/layer/write.ts
function writeLayer(inputs, options) {
  const tar = join3(options.directory, "layer.tar");
  const index = join3(options.directory, "layer.index");
  const epoch = options.sourceDateEpoch;
  const writer = {
    sink: openTarSink(tar),
    set: createEntrySet(),
    tar,
    latest: epoch === void 0 ? void 0 : BigInt(epoch) * 1000000000n,
    links: /* @__PURE__ */ new Map(),
    source: { file: "", fd: -1 }
  };
  try {
    for (const input of inputs) writeInput(writer, input);
    writer.sink.put(END_OF_ARCHIVE);
    const size = writer.sink.position();
    const diffID = digestFromHex(writer.sink.finish());
    writeIndex(index, encodeIndex(writer.set.values(), size));
    return { diffID, size, tar, index };
  } finally {
    closeSource(writer);
    writer.sink.close();
  }
}
function writeIndex(file, bytes) {
  try {
    writeFileSync(file, bytes, { flag: "wx" });
  } catch (error) {
    throw diskError(error, `write layer index ${file}`);
  }
}
function writeInput(writer, input) {
  const { path: path2 } = input;
  if (isReservedName(path2)) {
    throw new TsbuildError(
      "CONTEXT",
      `add ${displayName(path2)} to a layer: names that begin with .wh. mark deletions`,
      {
        hint: "rename the file, or exclude it with .dockerignore"
      }
    );
  }
  if ("whiteout" in input) {
    writer.set.put(input);
    writer.sink.put(encodeHeader({ ...MARK, name: whiteoutName(path2) }));
    return;
  }
  writeNode(writer, path2, input.node, input.opaque === true);
  if (input.opaque) writer.sink.put(encodeHeader({ ...MARK, name: opaqueName(path2) }));
}
var MARK = { type: "file", mode: 0, uid: 0, gid: 0, size: 0, mtime: 0n };
function writeNode(writer, path2, input, isOpaque2) {
  const node = clampTime(input, writer.latest);
  const first = node.inode === void 0 ? void 0 : writer.links.get(node.inode);
  const written = first?.node ?? writeFirst(writer, path2, node);
  if (first !== void 0) writer.sink.put(encodeHeader(linkHeader(path2, node, first.path)));
  writer.set.put(isOpaque2 ? { path: path2, node: written, opaque: true } : { path: path2, node: written });
}
function writeFirst(writer, path2, node) {
  writer.sink.put(encodeHeader(nodeHeader(path2, node)));
  const written = node.type === "file" ? writeContent(writer, path2, node) : node;
  if (node.inode !== void 0 && node.type !== "directory")
    writer.links.set(node.inode, { path: path2, node: written });
  return written;
}
function nodeHeader(path2, node) {
  const { type, mode, uid, gid, size, mtime, device, xattrs, linkTarget } = node;
  const name = type === "directory" ? `${path2 === "" ? "." : path2}/` : path2;
  return { name, type, mode, uid, gid, size, mtime, device, xattrs, linkName: linkTarget };
}
function linkHeader(path2, { mode, uid, gid, mtime }, linkName) {
  return { name: path2, type: "link", mode, uid, gid, size: 0, mtime, linkName };
}
function clampTime(node, latest) {
  return latest !== void 0 && node.mtime > latest ? { ...node, mtime: latest } : node;
}
function writeContent(writer, path2, node) {
  const { content, size } = node;
  const offset = writer.sink.position();
  if (content === void 0) throw new TypeError(`file without content: ${path2}`);
  const found = "bytes" in content ? content.bytes.length : content.size;
  if (found !== size) throw new TypeError(`content is not of the node's size: ${path2}`);
  const sha256 = putContent(writer, path2, content, node.sha256);
  writer.sink.pad();
  const { mode, uid, gid, mtime, xattrs, inode } = node;
  return {
    type: "file",
    mode,
    uid,
    gid,
    size,
    mtime,
    xattrs,
    inode,
    sha256,
    content: { file: writer.tar, offset, size }
  };
}
function putContent(writer, path2, content, known) {
  if ("bytes" in content) {
    writer.sink.put(content.bytes);
    return known ?? hash2("sha256", content.bytes, "hex");
  }
  const { file, offset, size } = content;
  if (size === 0) return known ?? EMPTY_SHA256;
  try {
    const source = { fd: openSource(writer, file), offset, size, isWhole: offset === 0 };
    const found = writer.sink.copy(source, known === void 0);
    if (found === void 0) throw changed(path2);
    return known ?? found;
  } catch (cause) {
    if (isTsbuildError(cause) || errnoOf(cause) === void 0) throw cause;
    throw new TsbuildError("CONTEXT", `read ${displayName(path2)}: ${cause.message}`, {
      cause
    });
  }
}
var EMPTY_SHA256 = hash2("sha256", "", "hex");
var SAFE_READ = constants3.O_RDONLY | constants3.O_NOFOLLOW | constants3.O_NONBLOCK;
function openSource(writer, file) {
  const { source } = writer;
  if (source.file === file && source.fd >= 0) return source.fd;
  closeSource(writer);
  source.fd = openSync6(fsPath(file), SAFE_READ);
  source.file = file;
  return source.fd;
}
function closeSource(writer) {
  if (writer.source.fd >= 0) closeSync6(writer.source.fd);
  writer.source.fd = -1;
}
function changed(path2) {
  return new TsbuildError(
    "CONTEXT",
    `read ${displayName(path2)}: the file changed while it was read`,
    {
      hint: "build again when nothing writes to it; exclude it with .dockerignore if it is a log or the like",
      retryable: true
    }
  );
}

// src/layer/diff.ts
function writeChanges(changes, parents, options, read) {
  const inputs = diffChanges(changes, stackTree(parents, read), options.sourceDateEpoch);
  return inputs.length === 0 ? void 0 : writeLayer(inputs, options);
}
function diffChanges({ paths, complete }, parent, sourceDateEpoch) {
  const latest = sourceDateEpoch === void 0 ? void 0 : BigInt(sourceDateEpoch) * 1000000000n;
  const byDirectory = /* @__PURE__ */ new Map();
  for (const change of paths) {
    const directory = parentPath(change.path);
    const siblings = byDirectory.get(directory);
    if (siblings === void 0) byDirectory.set(directory, [change]);
    else siblings.push(change);
  }
  const same = sameAsIn(parent, latest);
  const isSame = linkedAlike(paths, parent, same);
  const diff = { parent, byDirectory, isSame, hasDevices: !complete };
  const inputs = [];
  diffDirectory(diff, "", complete, inputs);
  return inputs;
}
function diffDirectory(diff, directory, replaced, inputs) {
  const changes = diff.byDirectory.get(directory) ?? [];
  if (replaced) {
    const present = new Set(changes.map(({ path: path2 }) => path2));
    for (const name of diff.parent.list(directory)) {
      const path2 = joinPath(directory, name);
      if (!present.has(path2) && (diff.hasDevices || !isDevice(diff.parent.lookup(path2)))) {
        inputs.push({ path: path2, whiteout: true });
      }
    }
  }
  let kept = 0;
  for (const change of changes) kept += diffPath(diff, change, replaced, inputs);
  return kept;
}
function diffPath(diff, change, replaced, inputs) {
  const { path: path2 } = change;
  if ("whiteout" in change) {
    if (diff.parent.lookup(path2) !== void 0) inputs.push(change);
    return 0;
  }
  const { node } = change;
  if (node.type === "directory") return diffOwnDirectory(diff, change, replaced, inputs);
  if (change.untouched || diff.isSame(path2, node)) return 1;
  inputs.push({ path: path2, node });
  return 0;
}
function diffOwnDirectory(diff, { path: path2, node, opaque, untouched }, isInNew, inputs) {
  const replaced = (isInNew || opaque === true) && diff.parent.lookup(path2)?.type === "directory";
  const start = inputs.length;
  inputs.push({ path: path2, node });
  const kept = diffDirectory(diff, path2, replaced, inputs);
  if (replaced && kept === 0 && diff.parent.list(path2).length > 0) {
    inputs.length = start;
    inputs.push({ path: path2, node, opaque: true });
    pushAll(diff, path2, inputs);
    return 0;
  }
  if (inputs.length > start + 1 || !(untouched || diff.isSame(path2, node))) return kept;
  inputs.length = start;
  return kept + 1;
}
function isDevice(node) {
  return node?.type === "char" || node?.type === "block";
}
function pushAll(diff, directory, inputs) {
  for (const change of diff.byDirectory.get(directory) ?? []) {
    if ("whiteout" in change) continue;
    inputs.push({ path: change.path, node: change.node });
    if (change.node.type === "directory") pushAll(diff, change.path, inputs);
  }
}
function linkedAlike(changes, parent, isSame) {
  const links = /* @__PURE__ */ new Map();
  for (const change of changes) {
    if ("whiteout" in change || change.node.inode === void 0) continue;
    const paths = links.get(change.node.inode);
    if (paths === void 0) links.set(change.node.inode, [change.path]);
    else paths.push(change.path);
  }
  const answers = /* @__PURE__ */ new Map();
  return (path2, node) => {
    const paths = node.inode === void 0 ? void 0 : links.get(node.inode);
    if (paths === void 0 || paths.length < 2) return isSame(path2, node);
    let answer = answers.get(node.inode);
    if (answer === void 0) {
      const inode = parent.lookup(path2)?.inode;
      answer = inode !== void 0 && paths.every((link) => parent.lookup(link)?.inode === inode) && paths.every((link) => isSame(link, node));
      answers.set(node.inode, answer);
    }
    return answer;
  };
}
function sameAsIn(parent, latest) {
  const clamp = (time) => latest !== void 0 && time > latest ? latest : time;
  return (path2, node) => {
    const before = parent.lookup(path2);
    return before !== void 0 && before.type === node.type && // The mode of a symlink means nothing, and an archive may hold any.
    (before.mode === node.mode || node.type === "symlink") && before.uid === node.uid && before.gid === node.gid && before.size === node.size && before.linkTarget === node.linkTarget && clamp(before.mtime) === clamp(node.mtime) && before.device?.major === node.device?.major && before.device?.minor === node.device?.minor && sameXattrs(before.xattrs ?? {}, node.xattrs ?? {}) && (node.type !== "file" || sameContent(contentOf(before), contentOf(node)));
  };
}
function sameXattrs(a, b) {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => b[name] !== void 0 && Buffer.compare(a[name], b[name]) === 0);
}
function contentOf({ content }) {
  return content ?? { bytes: Buffer.alloc(0) };
}

// ../p/d.ts
import { mkdirSync as mkdirSync3, rmSync as rmSync3 } from "node:fs";
var s = createOverlaySnapshotter({ directory: "/tmp/p", trash: "/tmp/p/trash", userXattr: false });
for (let i = 0; i < 3; i++) {
  rmSync3("/tmp/p/out", { recursive: true, force: true });
  mkdirSync3("/tmp/p/out");
  const t0 = performance.now();
  const u0 = process.cpuUsage();
  const changes = s.changes({ key: "snap", directory: "/tmp/p/snap", root: "" });
  const t1 = performance.now();
  writeChanges(changes, [], { directory: "/tmp/p/out" });
  const u = process.cpuUsage(u0);
  console.log("changes", (t1 - t0).toFixed(0), "write", (performance.now() - t1).toFixed(0), "user", u.user / 1e3 | 0, "sys", u.system / 1e3 | 0);
}
